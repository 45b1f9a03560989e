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

  ~silent_port() {
    if (taken_ >= 0) ::close(taken_);
  }

  uint16_t number() const { return port_.number(); }

  /// Throws std::runtime_error where none comes.
  void wait_for_a_dialler() const {
    pollfd waiting{port_.socket(), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds{patience}.count())) != 1)
      throw std::runtime_error("nobody has dialled");
  }
  /// The same; and whoever dialled has begun to prove who it is.
  bool is_greeted() {
    wait_for_a_dialler();
    taken_ = ::accept4(port_.socket(), nullptr, nullptr, SOCK_CLOEXEC);
    char byte;
    return ::recv(taken_, &byte, 1, 0) == 1;
  }

 private:
  bound_port port_;
  int taken_ = -1;
};

}  // namespace corolla::tests
