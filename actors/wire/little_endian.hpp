// Integers as they travel: little-endian.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace corolla::actors::wire {

template <std::unsigned_integral T>
void store(std::byte* to, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<std::byte>(static_cast<uint64_t>(value) >> (8 * i));
}

template <std::unsigned_integral T>
void append(std::vector<std::byte>& out, T value) {
  out.resize(out.size() + sizeof(T));
  store(out.data() + out.size() - sizeof(T), value);
}

/// Reads sizeof(T) bytes.
template <std::unsigned_integral T>
T load(const std::byte* from) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= std::to_integer<uint64_t>(from[i]) << (8 * i);
  return static_cast<T>(value);
}

}  // namespace corolla::actors::wire
