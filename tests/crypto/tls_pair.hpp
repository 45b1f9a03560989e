// Two channels and the wires between them, in memory.
#pragma once

#include "crypto/identity.hpp"
#include "crypto/tls.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace corolla::crypto {

/// Collects plaintext; offers at most `room_size` bytes at a time.
class collecting_sink : public plaintext_sink {
 public:
  explicit collecting_sink(size_t room_size = 16 * 1024) : room_(room_size) {}

  std::span<std::byte> room() override {
    ++asked;
    return room_;
  }
  void filled(size_t size) override {
    taken.insert(taken.end(), room_.begin(), room_.begin() + static_cast<ptrdiff_t>(size));
  }

  std::vector<std::byte> taken;
  size_t asked = 0;

 private:
  std::vector<std::byte> room_;
};

inline byte_view as_view(const std::vector<char>& bytes) {
  return std::as_bytes(std::span{bytes});
}

/// A channel with its sink and what it has to send.
struct tls_end {
  tls_channel channel;
  std::vector<char> out = {};
  collecting_sink sink = collecting_sink{};

  tls_state state() const { return channel.state(); }

  /// Feeds `bytes` in pieces of at most `piece`.
  void take(byte_view bytes, size_t piece) {
    while (!bytes.empty()) {
      auto size = std::min(piece, bytes.size());
      channel.feed(bytes.first(size), sink, out);
      bytes = bytes.subspan(size);
    }
  }
};

constexpr size_t whole = std::numeric_limits<size_t>::max();

/// Carries bytes both ways until neither end has any.
inline void exchange(tls_end& a, tls_end& b, size_t piece = whole) {
  while (!a.out.empty() || !b.out.empty()) {
    b.take(as_view(std::exchange(a.out, {})), piece);
    a.take(as_view(std::exchange(b.out, {})), piece);
  }
}

struct tls_pair {
  explicit tls_pair(const tls_limits& limits = {}, size_t piece = whole, std::optional<peer_id> expected = std::nullopt)
      : client{dial(limits, expected.value_or(server_key.peer()))},
        server{tls_channel::accept(server_context, limits)} {
    exchange(client, server, piece);
  }

  tls_end dial(const tls_limits& limits, const peer_id& expected) {
    std::vector<char> hello;
    auto channel = tls_channel::connect(client_context, expected, hello, limits);
    return {std::move(channel), std::move(hello)};
  }

  identity client_key = identity::generate();
  identity server_key = identity::generate();
  tls_context client_context{client_key};
  tls_context server_context{server_key};
  tls_end client;
  tls_end server;
};

/// Bytes without a period that a lost or doubled record could hide in.
inline std::vector<std::byte> some_bytes(size_t size) {
  std::vector<std::byte> bytes(size);
  uint32_t x = 1;
  for (auto& byte : bytes) {
    x = x * 1664525u + 1013904223u;
    byte = static_cast<std::byte>(x >> 24);
  }
  return bytes;
}

}  // namespace corolla::crypto
