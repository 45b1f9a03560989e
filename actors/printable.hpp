// What strangers call themselves, and what they say, must not move a terminal's cursor.
#pragma once

#include <cstddef>
#include <string>

namespace corolla::actors {

/// Control characters become question marks, also those that UTF-8 has in two bytes.
inline std::string printable(std::string text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; i < text.size(); ++i) {
    if (byte(i) < 0x20 || byte(i) == 0x7f) text[i] = '?';
    if (byte(i) == 0xc2 && i + 1 < text.size() && byte(i + 1) >= 0x80 && byte(i + 1) <= 0x9f)
      text[i] = text[i + 1] = '?';
  }
  return text;
}

}  // namespace corolla::actors
