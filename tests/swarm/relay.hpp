// Stands between a client and a node, passes bytes on as they come, and at a given point reads nothing any more: for
// the node it is then a peer that has stopped and owes a read.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace corolla::tests {

class relay {
 public:
  explicit relay(uint16_t to) : to_{to} {
    auto address = loopback(0);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listening_, plain, size) != 0 || ::listen(listening_, 1) != 0 ||
        ::getsockname(listening_, plain, &size) != 0)
      throw std::runtime_error("the relay cannot listen");
    port_ = ntohs(address.sin_port);
  }
  ~relay() {
    for (const auto fd : {listening_, client_, node_})
      if (fd >= 0) ::close(fd);
  }
  relay(const relay&) = delete;
  relay& operator=(const relay&) = delete;

  uint16_t port() const { return port_; }

  /// Takes one connection and passes bytes on until the node has sent `count`; nothing is read any more then.
  void run_until_node_sent(size_t count, std::chrono::seconds deadline) {
    until_ = std::chrono::steady_clock::now() + deadline;
    wait(listening_, -1);
    client_ = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    connect();
    size_t sent = 0;
    while (sent < count) {
      const auto ready = wait(client_, node_);
      if (ready.first) pass(client_, node_);
      if (ready.second) sent += pass(node_, client_);
    }
  }

  /// Bytes that the node still had on their way, now that it has ended.
  size_t drain() {
    size_t count = 0;
    std::array<char, 65536> bytes;
    for (ssize_t more = 1; more > 0; count += static_cast<size_t>(std::max<ssize_t>(more, 0)))
      more = ::recv(node_, bytes.data(), bytes.size(), 0);
    return count;
  }

 private:
  struct readable {
    bool first, second;
  };

  static sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

  void connect() {
    node_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // So that the kernel takes little off the node's hands.
    const int little = 4096;
    ::setsockopt(node_, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    const auto address = loopback(to_);
    if (::connect(node_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("the relay cannot reach the node");
  }

  readable wait(int first, int second) const {
    std::array<pollfd, 2> waiting{{{first, POLLIN, 0}, {second, POLLIN, 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until_ - std::chrono::steady_clock::now()).count();
    if (left <= 0 || ::poll(waiting.data(), waiting.size(), static_cast<int>(left)) <= 0)
      throw std::runtime_error("nothing came through the relay in time");
    return {waiting[0].revents != 0, waiting[1].revents != 0};
  }

  static size_t pass(int from, int to) {
    std::array<char, 65536> bytes;
    const auto count = ::recv(from, bytes.data(), bytes.size(), 0);
    if (count <= 0 || ::send(to, bytes.data(), static_cast<size_t>(count), MSG_NOSIGNAL) != count)
      throw std::runtime_error("a connection through the relay was closed");
    return static_cast<size_t>(count);
  }

  uint16_t to_, port_ = 0;
  int listening_ = -1, client_ = -1, node_ = -1;
  std::chrono::steady_clock::time_point until_;
};

}  // namespace corolla::tests
