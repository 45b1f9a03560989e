#include "model/made_tokenizer.hpp"

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <nlohmann/json.hpp>

namespace corolla::model {

namespace {

/// UTF-8 of a code point below 0x800.
std::string utf8(unsigned code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
}

/// The letter that stands for each byte in a byte-level vocabulary: printable Latin-1 stands for itself, the others are
/// counted up from U+0100.
std::vector<std::string> byte_letters() {
  std::vector<std::string> letters;
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
    letters.push_back(utf8(printable ? byte : next++));
  }
  return letters;
}

struct merge {
  std::string left, right;
};

/// `count` merges, each of letters and of results of earlier ones; frequent letters are joined first.
std::vector<merge> make_merges(size_t count, const std::vector<std::string>& letters) {
  std::vector<std::string> words;
  for (const unsigned char c : std::string_view(" etaoinshrdlucmfwypvbgkjqxz")) words.push_back(letters[c]);
  std::unordered_set<std::string> known(words.begin(), words.end());
  std::vector<merge> merges;
  // Along the diagonals of the table of pairs: short words of frequent letters come before long or rare ones.
  for (size_t diagonal = 0; merges.size() < count; ++diagonal)
    for (size_t left = 0; left <= diagonal && merges.size() < count; ++left) {
      const auto right = diagonal - left;
      if (left >= words.size() || right >= words.size()) continue;
      auto joined = words[left] + words[right];
      if (!known.insert(joined).second) continue;
      merges.push_back({words[left], words[right]});
      words.push_back(std::move(joined));
    }
  return merges;
}

}  // namespace

std::string make_tokenizer(int64_t size, std::span<const std::string> special_tokens) {
  using json = nlohmann::ordered_json;
  const auto letters = byte_letters();
  const auto fixed = static_cast<int64_t>(special_tokens.size() + letters.size());
  if (size < fixed)
    throw std::invalid_argument("a vocabulary of " + std::to_string(size) + " has no room for all bytes");
  int64_t id = 0;
  auto added = json::array(), merges = json::array();
  // Pairs, since an ordered object would look for every key it is given.
  std::vector<json::object_t::value_type> vocabulary;
  for (const auto& token : special_tokens) {
    added.push_back(
        {{"id", id},
         {"content", token},
         {"single_word", false},
         {"lstrip", false},
         {"rstrip", false},
         {"normalized", false},
         {"special", true}});
    vocabulary.emplace_back(token, id++);
  }
  for (const auto& letter : letters) vocabulary.emplace_back(letter, id++);
  for (const auto& m : make_merges(static_cast<size_t>(size - fixed), letters)) {
    vocabulary.emplace_back(m.left + m.right, id++);
    merges.push_back(m.left + ' ' + m.right);
  }
  const json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  json model = {
      {"type", "BPE"},
      {"dropout", nullptr},
      {"unk_token", nullptr},
      {"continuing_subword_prefix", nullptr},
      {"end_of_word_suffix", nullptr},
      {"fuse_unk", false},
      {"byte_fallback", false},
      {"ignore_merges", false}};
  json vocab = json::object();
  static_cast<std::vector<json::object_t::value_type>&>(vocab.get_ref<json::object_t&>()) = std::move(vocabulary);
  model["vocab"] = std::move(vocab);
  model["merges"] = std::move(merges);
  const json tokenizer = {{"version", "1.0"},          {"truncation", nullptr}, {"padding", nullptr},
                          {"added_tokens", added},     {"normalizer", nullptr}, {"pre_tokenizer", byte_level},
                          {"post_processor", nullptr}, {"decoder", byte_level}, {"model", std::move(model)}};
  return tokenizer.dump() + '\n';
}

}  // namespace corolla::model
