#include "model/tokenizer.hpp"

#include <algorithm>
#include <unordered_map>

#include "model/tokenizer_parts.hpp"
#include "model/tokenizer_utf8.hpp"

namespace corolla::model {

namespace {

class bpe_tokenizer final : public tokenizer, public std::enable_shared_from_this<bpe_tokenizer> {
 public:
  bpe_tokenizer(tokenizer_parts parts, std::string_view source)
      : bpe_(std::move(parts.tables), source),
        normalizer_(std::move(parts.normalizer)),
        pretokenizer_(std::move(parts.pretokenizer)),
        prefix_(std::move(parts.prefix)),
        suffix_(std::move(parts.suffix)),
        decoder_(parts.decoder),
        end_id_(bpe_.end_id()) {
    int64_t next_id = bpe_.count();
    for (auto& token : parts.added) add(std::move(token), next_id);
    std::vector<added_token> verbatim, normalized;
    for (const auto id : added_order_) {
      auto token = added_.at(id);
      if (token.normalized) token.content = normalize(std::move(token.content), normalizer_);
      if (!token.content.empty()) (token.normalized ? normalized : verbatim).push_back(std::move(token));
    }
    verbatim_ = added_token_finder(std::move(verbatim));
    normalized_ = added_token_finder(std::move(normalized));
    for (const auto* around : {&prefix_, &suffix_})
      for (const auto id : *around)
        if (text_of(id).empty())
          throw tokenizer_error("the post-processor adds the id " + std::to_string(id) + ", which is no token");
  }

  std::vector<int64_t> encode(std::string_view text, bool add_special) const override {
    std::vector<int64_t> ids;
    if (add_special) ids = prefix_;
    if (is_utf8(text))
      encode_valid(text, ids);
    else
      encode_valid(repaired_utf8(text), ids);
    if (add_special) ids.insert(ids.end(), suffix_.begin(), suffix_.end());
    return ids;
  }

  std::string decode(std::span<const int64_t> ids, bool skip_special) const override {
    std::string bytes;
    bool first = true;
    for (const auto id : ids) append_decoded(id, skip_special, first, bytes);
    return repaired_utf8(bytes);
  }

  int64_t size() const override { return end_id_; }

  bool is_special(int64_t id) const override {
    const auto found = added_.find(id);
    return found != added_.end() && found->second.special;
  }

  int64_t id_of(std::string_view token) const override {
    const auto found = added_ids_.find(std::string(token));
    return found != added_ids_.end() ? found->second : bpe_.id_of(token);
  }

  std::unique_ptr<stream> stream_decoder(bool skip_special) const override;

  /// Appends what `id` decodes to.  `first`: no token has been decoded yet; false afterwards.
  void append_decoded(int64_t id, bool skip_special, bool& first, std::string& bytes) const {
    const auto token = text_of(id);
    if (token.empty() || (skip_special && is_special(id))) return;
    if (decoder_ == token_decoder::byte_level) {
      append_from_byte_alphabet(token, bytes);
      return;
    }
    if (decoder_ == token_decoder::space_joined && !first) bytes += ' ';
    bytes += token;
    first = false;
  }

 private:
  /// Gives a token its id: the vocabulary's, or `next_id`.
  void add(added_token token, int64_t& next_id) {
    if (token.content.empty()) return;
    if (token.content.size() > added_token_finder::max_content || !is_utf8(token.content))
      throw tokenizer_error(
          "added_tokens: a token is longer than " + std::to_string(added_token_finder::max_content) +
          " bytes, or not valid UTF-8");
    auto id = id_of(token.content);
    if (id < 0) id = next_id++;
    if (token.id >= 0 && token.id != id)
      throw tokenizer_error(
          "added_tokens: \"" + token.content + "\" has the id " + std::to_string(token.id) +
          ", but in the vocabulary, or next to it, it is " + std::to_string(id));
    token.id = id;
    if (const auto [at, is_new] = added_.try_emplace(id, token); is_new) {
      added_order_.push_back(id);
    } else {  // a token that is declared twice is what the last says, but once special always so
      token.special |= at->second.special;
      at->second = token;
    }
    added_ids_[token.content] = id;
    end_id_ = std::max(end_id_, id + 1);
  }

  std::string_view text_of(int64_t id) const {
    const auto found = added_.find(id);
    return found != added_.end() ? std::string_view(found->second.content) : bpe_.token(id);
  }

  void encode_valid(std::string_view text, std::vector<int64_t>& ids) const {
    for (const auto& segment : verbatim_.split(text)) {
      if (segment.id >= 0) {
        ids.push_back(segment.id);
      } else if (normalizer_.empty()) {
        encode_normalized(segment.text, ids);
      } else {
        encode_normalized(normalize(std::string(segment.text), normalizer_), ids);
      }
    }
  }

  void encode_normalized(std::string_view text, std::vector<int64_t>& ids) const {
    for (const auto& segment : normalized_.split(text)) {
      if (segment.id >= 0) {
        ids.push_back(segment.id);
        continue;
      }
      for (const auto& word : pretokenize(segment.text, pretokenizer_)) bpe_.encode(word, ids);
    }
  }

  bpe bpe_;
  std::unordered_map<int64_t, added_token> added_;
  std::vector<int64_t> added_order_;
  std::unordered_map<std::string, int64_t> added_ids_;
  added_token_finder verbatim_{{}};
  added_token_finder normalized_{{}};
  std::vector<normalizer_step> normalizer_;
  std::vector<pretokenizer_step> pretokenizer_;
  std::vector<int64_t> prefix_, suffix_;
  token_decoder decoder_;
  int64_t end_id_;
};

/// Keeps the bytes that may yet become a character.
class bpe_stream final : public tokenizer::stream {
 public:
  bpe_stream(std::shared_ptr<const bpe_tokenizer> t, bool skip_special)
      : tokenizer_(std::move(t)), skip_special_(skip_special) {}

  std::string push(int64_t id) override {
    tokenizer_->append_decoded(id, skip_special_, first_, held_);
    size_t certain = 0;
    while (certain < held_.size()) {
      const auto c = character_at(held_, certain);
      if (c.is == utf8_character::form::cut) break;
      certain += c.size;
    }
    auto text = repaired_utf8(std::string_view(held_).substr(0, certain));
    held_.erase(0, certain);
    return text;
  }

  std::string finish() override { return repaired_utf8(std::exchange(held_, {})); }

 private:
  std::shared_ptr<const bpe_tokenizer> tokenizer_;
  bool skip_special_;
  bool first_ = true;
  std::string held_;
};

std::unique_ptr<tokenizer::stream> bpe_tokenizer::stream_decoder(bool skip_special) const {
  return std::make_unique<bpe_stream>(shared_from_this(), skip_special);
}

}  // namespace

std::shared_ptr<const tokenizer> make_tokenizer(tokenizer_parts parts, std::string_view source) {
  return std::make_shared<const bpe_tokenizer>(std::move(parts), source);
}

}  // namespace corolla::model
