// Sockets, as far as links need them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "actors/wire/traffic.hpp"

namespace corolla::actors::wire {

class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int number) : number_{number} {}
  descriptor(descriptor&& other) noexcept : number_{other.release()} {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~descriptor();

  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// Ends what waits in another thread, for good.
class interrupt {
 public:
  /// Throws std::system_error where the kernel gives no descriptor.
  interrupt();

  /// From any thread.
  void raise() const noexcept;
  /// Readable once it was raised.
  int fd() const { return event_.get(); }

 private:
  descriptor event_;
};

/// "HOST:PORT", IPv6 in brackets.
std::string join(const std::string& host, uint16_t port);
/// The numeric address at the other end; empty where the socket has none.
std::string remote_host(int socket);
/// The same with the port.
std::string remote_name(int socket);

struct listener {
  descriptor socket;
  std::string host;
  uint16_t port = 0;
};
/// Port 0: the kernel chooses.
std::variant<listener, refusal> listen_at(const std::string& host, uint16_t port);

/// Resolves and connects, the addresses one after the other, each with its share of what is left of `time`.
/// Fails with stopping once `stop` is raised, where there is one.
std::variant<descriptor, refusal> connect_to(
    const std::string& host, uint16_t port, std::chrono::milliseconds time, const interrupt* stop = nullptr);

}  // namespace corolla::actors::wire
