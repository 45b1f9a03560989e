// A port of 127.0.0.1 where connections are taken and nothing is ever said.
#pragma once

#include <chrono>

#include <poll.h>

#include "bound_port.hpp"
#include "tests/support/patience.hpp"

namespace corolla::tests {

class silent_port {
 public:
  silent_port() {
    if (::listen(port_.socket(), /*backlog=*/8) != 0) throw std::runtime_error("no port can be listened on");
  }

  uint16_t number() const { return port_.number(); }

  /// Throws std::runtime_error where none comes.
  void wait_for_a_dialler() const {
    pollfd waiting{port_.socket(), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds{patience}.count())) != 1)
      throw std::runtime_error("nobody has dialled");
  }

 private:
  bound_port port_;
};

}  // namespace corolla::tests
