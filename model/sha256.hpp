// SHA-256 over a stream of values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "model/checkpoint.hpp"

namespace corolla::model {

class sha256 {
 public:
  /// Throws std::runtime_error if OpenSSL has no SHA-256.
  sha256();
  ~sha256();
  sha256(const sha256&) = delete;
  sha256& operator=(const sha256&) = delete;

  void bytes(std::span<const std::byte> data);
  /// Eight bytes, little-endian.
  void u64(uint64_t value);
  /// Length and bytes.
  void text(std::string_view value);
  void add(const digest& d);
  /// Once, at the end.
  digest finish();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace corolla::model
