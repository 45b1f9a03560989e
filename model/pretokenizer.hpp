// How a text is cut into words before its words are encoded.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/pretokenizer_regex.hpp"

namespace corolla::model {

/// What becomes of the parts that a pattern matches.
enum class split_behavior {
  isolated,              ///< each is a word
  removed,               ///< each is dropped
  merged_with_previous,  ///< each ends the word before it
  merged_with_next,      ///< each begins the word behind it
  contiguous,            ///< a run of them is a word
};

/// Splits at a pattern.
struct pattern_split {
  regex pattern;
  split_behavior behavior = split_behavior::isolated;
  bool invert = false;  ///< at what the pattern does not match
};

/// Splits at characters of a kind.
struct character_split {
  enum class kind { digit, punctuation } of = kind::digit;
  split_behavior behavior = split_behavior::isolated;
};

/// Writes the bytes of every word in GPT-2's alphabet.
struct byte_level {
  bool add_prefix_space = false;  ///< to words that do not begin with one
  std::optional<regex> pattern;   ///< splits first, isolated
};

using pretokenizer_step = std::variant<pattern_split, character_split, byte_level>;

/// GPT-2's pattern, which ByteLevel uses.
extern const std::string_view gpt2_pattern;

/// Cuts `text`, valid UTF-8, by every step in turn.  Words are not empty.
std::vector<std::string> pretokenize(std::string_view text, const std::vector<pretokenizer_step>& steps);

}  // namespace corolla::model
