#include "model/file_error.hpp"

#include "model/checkpoint.hpp"

namespace corolla::model {

void fail(const std::string& file, const std::string& what) {
  throw checkpoint_error(file + ": " + what);
}

std::string in_quotes(std::string_view text) {
  constexpr size_t longest = 80;
  constexpr char digits[] = "0123456789abcdef";
  std::string result = "'";
  for (const auto c : text.substr(0, longest)) {
    if (c >= 0x20 && c < 0x7f) {
      result += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      result += "\\x";
      result += digits[byte >> 4];
      result += digits[byte & 15];
    }
  }
  return result + (text.size() > longest ? "...'" : "'");
}

}  // namespace corolla::model
