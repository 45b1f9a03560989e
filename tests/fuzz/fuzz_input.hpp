// An input as a supply of decisions: numbers and bytes from the front, zeros once it is used up.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace corolla::tests {

class fuzz_input {
 public:
  fuzz_input(const uint8_t* data, size_t size) : rest_{data, size} {}

  bool empty() const { return rest_.empty(); }
  uint8_t byte() {
    auto front = bytes(1);
    return front.empty() ? uint8_t{0} : std::to_integer<uint8_t>(front[0]);
  }
  uint16_t number() {
    auto low = byte();
    return static_cast<uint16_t>(low | byte() << 8);
  }
  /// Fewer than `count` at the end.
  std::span<const std::byte> bytes(size_t count) {
    auto front = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(front.size());
    return std::as_bytes(front);
  }

 private:
  std::span<const uint8_t> rest_;
};

}  // namespace corolla::tests
