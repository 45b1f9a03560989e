// Reads little-endian values off a span; what is not there is an error, never read.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "model/file_error.hpp"

namespace corolla::model {

class byte_reader {
 public:
  /// `label` names the file in errors and outlives the reader.
  byte_reader(std::span<const std::byte> bytes, const std::string& label) : bytes_(bytes), label_(label) {}

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  /// The next `count` bytes; `what` names them in the error.
  std::span<const std::byte> take(uint64_t count, std::string_view what) {
    if (count > left())
      fail(
          label_, std::string(what) + " takes " + std::to_string(count) + " bytes and " + std::to_string(left()) +
                      " are left; the file may be truncated");
    const auto result = bytes_.subspan(position_, count);
    position_ += count;
    return result;
  }

  template <class T>
  T number(std::string_view what) {
    static_assert(std::is_arithmetic_v<T> && std::endian::native == std::endian::little);
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  /// A u64 length of at most `max_length`, and so many bytes.
  std::string_view text(uint64_t max_length, std::string_view what) {
    const auto length = number<uint64_t>(what);
    if (length > max_length)
      fail(
          label_, std::string(what) + " has " + std::to_string(length) + " bytes, at most " +
                      std::to_string(max_length) + " are read");
    const auto bytes = take(length, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& label_;
  size_t position_ = 0;
};

}  // namespace corolla::model
