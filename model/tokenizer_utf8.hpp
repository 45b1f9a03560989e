// UTF-8 character by character, and GPT-2's alphabet, which writes every byte as a printable character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace corolla::model {

struct utf8_character {
  enum class form : unsigned char {
    whole,
    broken,  ///< `size` bytes that no further byte can make a character
    cut,     ///< the text ends inside what may be a character
  };
  char32_t code = U'\uFFFD';
  size_t size = 1;
  form is = form::broken;
};

/// The character at `at` < text.size().  A broken one spans the longest beginning of a character, as Unicode advises
/// for replacement (and as Rust's from_utf8_lossy counts).
utf8_character character_at(std::string_view text, size_t at);

bool is_utf8(std::string_view text);
/// `text` with U+FFFD for each broken or cut character.
std::string repaired_utf8(std::string_view text);
void append_utf8(char32_t code, std::string& text);

/// Each byte of `bytes` as a character of GPT-2's alphabet.
std::string to_byte_alphabet(std::string_view bytes);
/// Appends the bytes that `token` stands for: itself, where it is not written in GPT-2's alphabet.
void append_from_byte_alphabet(std::string_view token, std::string& bytes);

}  // namespace corolla::model
