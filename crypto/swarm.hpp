// What kinds of swarm there are, and which private one is meant.
#pragma once

#include "crypto/peer_id.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace corolla::crypto {

enum class swarm_kind {
  /// Loopback alone.
  local,
  /// Anyone may join.
  open,
  /// Holders of a certificate may.
  private_,
};

/// "local", "open", "private"
std::string_view to_string(swarm_kind kind);
std::optional<swarm_kind> parse_swarm_kind(std::string_view text);

/// Which private swarm: the SHA-256 of the public key of its Ed25519 key, which is an identity of its own.
struct swarm_id {
  std::array<uint8_t, 32> bytes{};

  auto operator<=>(const swarm_id&) const = default;

  /// "swarm-" and 52 characters of lowercase base32.
  std::string to_string() const;
  /// Takes what to_string writes and nothing else.
  static std::optional<swarm_id> parse(std::string_view text);
  /// The swarm whose key is `key`.
  static swarm_id of(const public_key_bytes& key);
};

}  // namespace corolla::crypto
