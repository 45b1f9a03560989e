#include "crypto/base32.hpp"

namespace corolla::crypto {

namespace {

constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";

int digit_value(char c) {
  if (c >= 'a' && c <= 'z') return c - 'a';
  if (c >= '2' && c <= '7') return c - '2' + 26;
  return -1;
}

}  // namespace

std::string to_base32(std::span<const uint8_t> bytes) {
  std::string text;
  text.reserve(base32_size(bytes.size()));
  uint32_t bits = 0;
  int count = 0;
  for (auto byte : bytes) {
    bits = bits << 8 | byte;
    for (count += 8; count >= 5; count -= 5) text += alphabet[bits >> (count - 5) & 31];
  }
  if (count > 0) text += alphabet[bits << (5 - count) & 31];
  return text;
}

bool from_base32(std::string_view text, std::span<uint8_t> out) {
  if (text.size() != base32_size(out.size())) return false;
  uint32_t bits = 0;
  int count = 0;
  size_t filled = 0;
  for (auto c : text) {
    auto value = digit_value(c);
    if (value < 0) return false;
    bits = bits << 5 | static_cast<uint32_t>(value);
    count += 5;
    if (count >= 8) {
      count -= 8;
      out[filled++] = static_cast<uint8_t>(bits >> count);
    }
  }
  // Two texts never mean the same bytes: what is left over must be zero.
  return (bits & ((1u << count) - 1)) == 0;
}

}  // namespace corolla::crypto
