#include "runtime/reserved_port.hpp"

#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace corolla::runtime {

reserved_port::reserved_port() : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
  const int on = 1;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("no port can be reserved");
  const auto name = tcp_local_name(socket_);
  number_ = static_cast<uint16_t>(std::stoi(name.substr(name.rfind(':') + 1)));
}

}  // namespace corolla::runtime
