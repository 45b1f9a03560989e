#include "model/pretokenizer.hpp"

#include <algorithm>

#include <unicode/uchar.h>

#include "model/tokenizer_utf8.hpp"

namespace corolla::model {

const std::string_view gpt2_pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

/// A part of a text, and whether the pattern matched it.
struct part {
  size_t begin = 0;
  size_t end = 0;
  bool match = false;
};

using words = std::vector<std::string>;

/// The whole text in parts.
std::vector<part> parts_of(std::string_view text, const std::vector<text_range>& matches, bool invert) {
  std::vector<part> parts;
  size_t done = 0;
  for (const auto& m : matches) {
    if (done != m.begin) parts.push_back({done, m.begin, invert});
    parts.push_back({m.begin, m.end, !invert});
    done = m.end;
  }
  if (done != text.size()) parts.push_back({done, text.size(), invert});
  return parts;
}

std::vector<part> merged_with_previous(const std::vector<part>& parts) {
  std::vector<part> result;
  bool after_match = false;
  for (const auto& p : parts) {
    if (p.match && !after_match && !result.empty())
      result.back().end = p.end;
    else
      result.push_back(p);
    after_match = p.match;
  }
  return result;
}

std::vector<part> merged_with_next(const std::vector<part>& parts) {
  std::vector<part> result;
  bool before_match = false;
  for (auto p = parts.rbegin(); p != parts.rend(); ++p) {
    if (p->match && !before_match && !result.empty())
      result.back().begin = p->begin;
    else
      result.push_back(*p);
    before_match = p->match;
  }
  std::reverse(result.begin(), result.end());
  return result;
}

std::vector<part> contiguous(const std::vector<part>& parts) {
  std::vector<part> result;
  for (const auto& p : parts) {
    if (!result.empty() && result.back().match == p.match)
      result.back().end = p.end;
    else
      result.push_back(p);
  }
  return result;
}

void cut(std::string_view text, std::vector<part> parts, split_behavior behavior, words& out) {
  switch (behavior) {
    case split_behavior::isolated:
      break;
    case split_behavior::removed:
      parts.erase(std::remove_if(parts.begin(), parts.end(), [](const part& p) { return p.match; }), parts.end());
      break;
    case split_behavior::merged_with_previous:
      parts = merged_with_previous(parts);
      break;
    case split_behavior::merged_with_next:
      parts = merged_with_next(parts);
      break;
    case split_behavior::contiguous:
      parts = contiguous(parts);
      break;
  }
  for (const auto& p : parts)
    if (p.begin != p.end) out.emplace_back(text.substr(p.begin, p.end - p.begin));
}

bool is_of(character_split::kind kind, char32_t code) {
  const auto c = static_cast<UChar32>(code);
  if (kind == character_split::kind::digit) return (U_GET_GC_MASK(c) & U_GC_N_MASK) != 0;
  const bool ascii_symbol = code > ' ' && code < 0x7F && !u_isalnum(c);
  return ascii_symbol || u_ispunct(c);
}

void apply(const pattern_split& step, const std::string& word, words& out) {
  cut(word, parts_of(word, step.pattern.matches(word), step.invert), step.behavior, out);
}

void apply(const character_split& step, const std::string& word, words& out) {
  std::vector<text_range> matches;
  for (size_t at = 0; at < word.size();) {
    const auto c = character_at(word, at);
    if (is_of(step.of, c.code)) matches.push_back({at, at + c.size});
    at += c.size;
  }
  cut(word, parts_of(word, matches, /*invert=*/false), step.behavior, out);
}

void apply(const byte_level& step, const std::string& word, words& out) {
  const auto text = step.add_prefix_space && !word.starts_with(' ') ? " " + word : word;
  if (!step.pattern) {
    out.push_back(to_byte_alphabet(text));
    return;
  }
  const auto view = std::string_view(text);
  for (const auto& p : parts_of(view, step.pattern->matches(view), /*invert=*/false))
    if (p.begin != p.end) out.push_back(to_byte_alphabet(view.substr(p.begin, p.end - p.begin)));
}

}  // namespace

std::vector<std::string> pretokenize(std::string_view text, const std::vector<pretokenizer_step>& steps) {
  words current;
  if (!text.empty()) current.emplace_back(text);
  for (const auto& step : steps) {
    words next;
    next.reserve(current.size());
    std::visit(
        [&](const auto& s) {
          for (const auto& word : current) apply(s, word, next);
        },
        step);
    current = std::move(next);
  }
  return current;
}

}  // namespace corolla::model
