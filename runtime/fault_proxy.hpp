// A TCP proxy that makes a connection as bad as wished: late, slow, cut, silent one way, or altered.  For tests, and
// for `corolla fault-proxy`.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "runtime/fault_line.hpp"

namespace corolla::runtime {

/// `to` whom the proxy leads, or back `from` there.
enum class direction : uint8_t { to, from };

struct fault_settings {
  std::string listen_host = "127.0.0.1";
  uint16_t listen_port = 0;  ///< 0: the kernel's choice
  /// Where connections go; may be told later (`lead_to`), and those that come before are closed.
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  /// One way: a round trip takes twice as long.
  std::chrono::nanoseconds delay{0};
  double jitter = 0;         ///< part of the delay, 0 to 1
  uint64_t bytes_per_s = 0;  ///< each way of each connection; 0: no limit
  /// A connection is reset at both ends after so many bytes, both ways together, or so long after it began.
  std::optional<uint64_t> cut_after_bytes{};
  std::optional<std::chrono::nanoseconds> cut_after_time{};
  /// In this direction of a connection nothing arrives any more, after so many bytes or so long after it began.
  direction silent = direction::to;
  std::optional<uint64_t> silent_after_bytes{};
  std::optional<std::chrono::nanoseconds> silent_after_time{};
  /// In each direction of a connection one bit of the byte behind so many is flipped.
  std::optional<uint64_t> flip_after{};
  uint64_t seed = 1;
};

/// Works in a thread of its own from construction to destruction, which resets what is still open.  Takes 256
/// connections at a time, and holds for each no more than `fault_line` does.  All functions may be called from any
/// thread; when one returns, it has taken effect (what the kernel was given before is not called back).
class fault_proxy {
 public:
  /// Listens.  Throws std::runtime_error with a sentence where it cannot, or where `host` has no address.
  explicit fault_proxy(fault_settings settings);
  ~fault_proxy();
  fault_proxy(const fault_proxy&) = delete;
  fault_proxy& operator=(const fault_proxy&) = delete;

  uint16_t port() const;
  /// "HOST:PORT" to dial.
  std::string address() const;

  /// Connections that come from now on go there.  Throws as the constructor.
  void lead_to(const std::string& host, uint16_t port);
  /// Resets every connection at both ends.  New ones are taken.
  void cut();
  /// In this direction nothing arrives any more, of connections that are there and of new ones; neither end is told,
  /// not even that the other has gone.  As where a network has lost its way, bytes wait: the sender's kernel takes what
  /// it has room for, and after `resume` all of them arrive.
  void stall(direction which);
  /// Both directions carry again, also those that the settings made silent.
  void resume();

  size_t connections();
  /// Bytes that were passed on in this direction, of all connections so far.
  uint64_t passed(direction which);
  /// Waits until there are so many; false where that takes longer than `longest`.
  bool wait_until_passed(direction which, uint64_t bytes, std::chrono::milliseconds longest);

 private:
  class worker;
  std::unique_ptr<worker> worker_;
};

}  // namespace corolla::runtime
