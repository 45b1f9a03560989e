// Base32 of RFC 4648 in lowercase and without padding: how ids and certificates are written for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace corolla::crypto {

/// Characters that `bytes` bytes take.
constexpr size_t base32_size(size_t bytes) {
  return (bytes * 8 + 4) / 5;
}

std::string to_base32(std::span<const uint8_t> bytes);

/// Fills `out`.  False unless `text` is exactly what to_base32 writes for some bytes of that size.
[[nodiscard]] bool from_base32(std::string_view text, std::span<uint8_t> out);

}  // namespace corolla::crypto
