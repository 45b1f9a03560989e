// A port that is known before whoever listens at it has started.
#pragma once

#include <cstdint>

#include "runtime/tcp.hpp"

namespace corolla::runtime {

/// A port of 127.0.0.1 of the kernel's choice that is kept for whoever listens at it with SO_REUSEADDR, as nodes do:
/// the kernel gives it to nobody who asks for any, and lets it be bound once more as long as nobody listens.
class reserved_port {
 public:
  /// Throws std::runtime_error where there is none.
  reserved_port();

  uint16_t number() const { return number_; }

 private:
  tcp_socket socket_;
  uint16_t number_ = 0;
};

}  // namespace corolla::runtime
