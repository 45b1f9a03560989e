// Who listens on this machine.
#pragma once

#include <cstdint>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace corolla::tests {

/// The port in "ready corolla://ID@127.0.0.1:PORT model=…".
inline uint16_t port_of(const std::string& ready) {
  const auto colon = ready.rfind(':', ready.find(" model="));
  return static_cast<uint16_t>(std::stoi(ready.substr(colon + 1)));
}

inline bool somebody_listens(uint16_t port) {
  const auto fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

}  // namespace corolla::tests
