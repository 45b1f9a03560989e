// Fixed layouts: views of bytes, and appending and reading their parts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace corolla::crypto {

using byte_view = std::span<const std::byte>;

inline byte_view as_view(std::string_view text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}

inline void append(std::vector<std::byte>& out, byte_view bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <size_t N>
void append(std::vector<std::byte>& out, const std::array<uint8_t, N>& bytes) {
  append(out, std::as_bytes(std::span{bytes}));
}

inline void append_byte(std::vector<std::byte>& out, uint8_t value) {
  out.push_back(std::byte{value});
}

/// Little-endian.
inline void append_int64(std::vector<std::byte>& out, int64_t value) {
  for (int shift = 0; shift < 64; shift += 8)
    append_byte(out, static_cast<uint8_t>(static_cast<uint64_t>(value) >> shift));
}

/// Reads front to back.  Whoever makes one has checked that there is enough.
class byte_reader {
 public:
  explicit byte_reader(byte_view bytes) : rest_{bytes} {}

  template <size_t N>
  std::array<uint8_t, N> read() {
    std::array<uint8_t, N> value;
    std::memcpy(value.data(), rest_.data(), N);
    rest_ = rest_.subspan(N);
    return value;
  }

  uint8_t read_byte() { return read<1>()[0]; }

  /// Little-endian.
  int64_t read_int64() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 8) value |= uint64_t{read_byte()} << shift;
    return static_cast<int64_t>(value);
  }

  byte_view rest() const { return rest_; }

 private:
  byte_view rest_;
};

}  // namespace corolla::crypto
