// Regular expressions of tokenizer files: written in Oniguruma's syntax, run by PCRE2.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace corolla::model {

struct text_range {
  size_t begin = 0;
  size_t end = 0;

  bool operator==(const text_range&) const = default;
};

/// `pattern` in PCRE2's syntax, with Oniguruma's meaning: what the two read differently is rewritten (\s, \w, \h, \b,
/// classes inside classes, intervals followed by +), what cannot be is refused with std::invalid_argument.
std::string pcre2_syntax(std::string_view pattern);

/// Immutable; safe to use from any thread.
class regex {
 public:
  /// Throws tokenizer_error; `source` names the field in its sentence.
  static regex from_pattern(std::string_view pattern, std::string_view source);
  static regex from_literal(std::string_view text, std::string_view source);

  /// All matches in `text`, which is valid UTF-8, from left to right.  An empty one right behind another is left out.
  /// Throws tokenizer_error if the pattern needs too much work on this text.
  std::vector<text_range> matches(std::string_view text) const;

 private:
  struct compiled;
  explicit regex(std::shared_ptr<const compiled> c) : compiled_(std::move(c)) {}

  std::shared_ptr<const compiled> compiled_;
};

}  // namespace corolla::model
