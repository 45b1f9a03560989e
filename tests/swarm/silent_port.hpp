// A port of 127.0.0.1 where connections are taken and nothing is ever said.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/patience.hpp"

namespace corolla::tests {

class silent_port {
 public:
  silent_port() : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* plain = reinterpret_cast<sockaddr*>(&address_);
    if (::bind(socket_, plain, size) != 0 || ::listen(socket_, /*backlog=*/8) != 0 ||
        ::getsockname(socket_, plain, &size) != 0)
      throw std::runtime_error("no port can be listened on");
  }
  ~silent_port() { ::close(socket_); }
  silent_port(const silent_port&) = delete;
  silent_port& operator=(const silent_port&) = delete;

  uint16_t number() const { return ntohs(address_.sin_port); }

  /// Throws std::runtime_error where none comes.
  void wait_for_a_dialler() const {
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds{patience}.count())) != 1)
      throw std::runtime_error("nobody has dialled");
  }

 private:
  int socket_;
  sockaddr_in address_{};
};

}  // namespace corolla::tests
