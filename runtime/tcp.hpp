// The few things that the fault proxy asks of sockets.  (Links have their own, with refusals in their words:
// actors/wire/socket.hpp.)
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace corolla::runtime {

/// Owns a descriptor.
class tcp_socket {
 public:
  tcp_socket() = default;
  explicit tcp_socket(int number) : number_(number) {}
  tcp_socket(tcp_socket&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  tcp_socket& operator=(tcp_socket&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~tcp_socket() {
    if (number_ >= 0) ::close(number_);
  }

  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

struct tcp_address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

/// The first address of `host`.  Throws std::runtime_error with a sentence.
tcp_address tcp_resolve(const std::string& host, uint16_t port);
/// A non-blocking socket that listens; port 0: the kernel's choice.  Throws std::runtime_error with a sentence.
tcp_socket tcp_listen(const std::string& host, uint16_t port);
/// "HOST:PORT" where it listens, IPv6 in brackets.
std::string tcp_local_name(const tcp_socket& socket);
/// A non-blocking socket whose connection is under way: writable when it is there or has failed.  No socket where it
/// failed at once.
tcp_socket tcp_begin_connect(const tcp_address& address);
/// The error for which a connection that was begun is not there; 0 where it is, or is still under way.
int tcp_error(const tcp_socket& socket);
bool tcp_is_connected(const tcp_socket& socket);
/// Whether closing the socket resets the connection, so that its peer learns of it whatever is still under way.
void tcp_reset_on_close(const tcp_socket& socket, bool reset);
/// Small pieces go out at once.
void tcp_without_delay(const tcp_socket& socket);

}  // namespace corolla::runtime
