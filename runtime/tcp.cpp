#include "runtime/tcp.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace corolla::runtime {
namespace {

std::string join(const std::string& host, const std::string& port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
}

}  // namespace

tcp_address tcp_resolve(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (const auto error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list); error != 0)
    throw std::runtime_error("cannot resolve " + host + ": " + ::gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner{list, ::freeaddrinfo};
  tcp_address result;
  std::memcpy(&result.bytes, list->ai_addr, list->ai_addrlen);
  result.size = list->ai_addrlen;
  return result;
}

tcp_socket tcp_listen(const std::string& host, uint16_t port) {
  const auto address = tcp_resolve(host, port);
  tcp_socket socket{::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.bytes), address.size) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0)
    throw std::runtime_error(
        "cannot listen at " + join(host, std::to_string(port)) + ": " + std::generic_category().message(errno));
  return socket;
}

std::string tcp_local_name(const tcp_socket& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getsockname(socket.get(), any, &size) != 0 ||
      ::getnameinfo(any, size, host.data(), host.size(), port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV) !=
          0)
    throw std::runtime_error("a socket that listens has no address");
  return join(host.data(), port.data());
}

tcp_socket tcp_begin_connect(const tcp_address& address) {
  tcp_socket socket{::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!socket) return socket;
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.bytes), address.size) != 0 &&
      errno != EINPROGRESS)
    return {};
  return socket;
}

int tcp_error(const tcp_socket& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

bool tcp_is_connected(const tcp_socket& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  return ::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0;
}

void tcp_reset_on_close(const tcp_socket& socket, bool reset) {
  const linger option{reset ? 1 : 0, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &option, sizeof option);
}

void tcp_without_delay(const tcp_socket& socket) {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace corolla::runtime
