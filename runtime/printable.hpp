// What strangers call themselves must not move a terminal's cursor.
#pragma once

#include <algorithm>
#include <string>

namespace corolla::runtime {

/// Control characters become question marks.
inline std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text;
}

}  // namespace corolla::runtime
