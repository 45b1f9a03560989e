// A port of 127.0.0.1 that is taken and where nobody listens: who dials it is refused, whatever else runs here.
#pragma once

#include <cstdint>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace corolla::tests {

class bound_port {
 public:
  bound_port() : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* plain = reinterpret_cast<sockaddr*>(&address_);
    if (::bind(socket_, plain, size) != 0 || ::getsockname(socket_, plain, &size) != 0)
      throw std::runtime_error("no port can be taken");
  }
  ~bound_port() { ::close(socket_); }
  bound_port(const bound_port&) = delete;
  bound_port& operator=(const bound_port&) = delete;

  uint16_t number() const { return ntohs(address_.sin_port); }
  int socket() const { return socket_; }

 private:
  int socket_;
  sockaddr_in address_{};
};

}  // namespace corolla::tests
