#include "model/tokenizer_added.hpp"

#include <algorithm>

#include <unicode/uchar.h>

#include "model/tokenizer_utf8.hpp"

namespace corolla::model {

namespace {

bool is_white_space(char32_t c) {
  return u_isUWhiteSpace(static_cast<UChar32>(c));
}

/// A word character as regular expressions on Unicode define it (UTS #18).
bool is_word(char32_t code) {
  const auto c = static_cast<UChar32>(code);
  return u_hasBinaryProperty(c, UCHAR_ALPHABETIC) || u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL) ||
         (U_GET_GC_MASK(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}

size_t character_before(std::string_view text, size_t at) {
  do --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}

bool stands_alone(std::string_view text, size_t begin, size_t end) {
  const bool word_before = begin > 0 && is_word(character_at(text, character_before(text, begin)).code);
  const bool word_behind = end < text.size() && is_word(character_at(text, end).code);
  return !word_before && !word_behind;
}

}  // namespace

added_token_finder::added_token_finder(std::vector<added_token> tokens) : tokens_(std::move(tokens)) {
  const auto less = [](const added_token& a, const added_token& b) { return a.content < b.content; };
  const auto same = [](const added_token& a, const added_token& b) { return a.content == b.content; };
  std::stable_sort(tokens_.begin(), tokens_.end(), less);
  tokens_.erase(std::unique(tokens_.begin(), tokens_.end(), same), tokens_.end());
  for (size_t i = 0; i < tokens_.size(); ++i) {
    auto& r = by_first_byte_[static_cast<unsigned char>(tokens_[i].content.front())];
    if (r.begin == r.end) r.begin = i;
    r.end = i + 1;
  }
}

const added_token* added_token_finder::longest_at(std::string_view text, size_t at) const {
  auto [begin, end] = by_first_byte_[static_cast<unsigned char>(text[at])];
  const added_token* found = nullptr;
  // tokens_[begin, end) agree with the text in `depth` bytes; the one that ends there, if any, is the first of them.
  for (size_t depth = 1; begin < end; ++depth) {
    if (tokens_[begin].content.size() == depth) found = &tokens_[begin++];
    if (at + depth >= text.size()) break;
    const auto byte = static_cast<unsigned char>(text[at + depth]);
    const auto byte_of = [depth](const added_token& t) { return static_cast<unsigned char>(t.content[depth]); };
    const auto first = tokens_.begin() + static_cast<ptrdiff_t>(begin);
    const auto last = tokens_.begin() + static_cast<ptrdiff_t>(end);
    const auto low = std::partition_point(first, last, [&](const added_token& t) { return byte_of(t) < byte; });
    const auto high = std::partition_point(low, last, [&](const added_token& t) { return byte_of(t) == byte; });
    begin = static_cast<size_t>(low - tokens_.begin());
    end = static_cast<size_t>(high - tokens_.begin());
  }
  return found;
}

std::vector<added_token_finder::segment> added_token_finder::split(std::string_view text) const {
  std::vector<segment> segments;
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const auto* token = longest_at(text, at);
    if (!token) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + token->content.size();
    at = end;  // what is passed over as part of a word is not searched again either
    if (token->single_word && !stands_alone(text, begin, end)) continue;
    if (token->lstrip)
      while (begin > done && is_white_space(character_at(text, character_before(text, begin)).code))
        begin = character_before(text, begin);
    if (token->rstrip)
      while (end < text.size() && is_white_space(character_at(text, end).code)) end += character_at(text, end).size;
    if (done < begin) segments.push_back({text.substr(done, begin - done)});
    segments.push_back({text.substr(begin, end - begin), token->id});
    done = end;
  }
  if (done < text.size()) segments.push_back({text.substr(done)});
  return segments;
}

}  // namespace corolla::model
