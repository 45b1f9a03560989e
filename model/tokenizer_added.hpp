// Added tokens: strings that are tokens by themselves wherever a text has them, before any splitting.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace corolla::model {

struct added_token {
  std::string content;
  int64_t id = -1;
  bool special = false;      ///< may be skipped when decoding
  bool single_word = false;  ///< only where no letter is beside it
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space behind it
  bool normalized = false;   ///< is looked for in normalised text, and is normalised itself
};

/// Finds the leftmost, and of those the longest, tokens of a set.  Immutable.
class added_token_finder {
 public:
  static constexpr size_t max_content = 4096;  ///< bytes; a search costs up to this much for each byte of text

  /// The contents are not empty and are valid UTF-8.  Of two with the same content the first counts.
  explicit added_token_finder(std::vector<added_token> tokens);

  struct segment {
    std::string_view text;
    int64_t id = -1;  ///< -1: text without such tokens
  };
  std::vector<segment> split(std::string_view text) const;

 private:
  /// The longest token that `text` has at `at`, or nullptr.
  const added_token* longest_at(std::string_view text, size_t at) const;

  std::vector<added_token> tokens_;  // sorted by content
  struct range {
    size_t begin = 0, end = 0;
  };
  std::array<range, 256> by_first_byte_{};  // into tokens_
};

}  // namespace corolla::model
