// Where a peer is, and who it must prove to be.
#pragma once

#include "crypto/peer_id.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace corolla::crypto {

/// Longest host: a domain name has no more.
inline constexpr size_t max_host = 253;

struct address {
  /// Absent where a user named a machine alone, or an interface to listen on.
  std::optional<peer_id> peer;
  /// A name, an IPv4 address, or an IPv6 address without its brackets.
  std::string host;
  uint16_t port = 0;

  bool operator==(const address&) const = default;

  /// "corolla://PEERID@HOST:PORT", or "HOST:PORT" without a peer.  An IPv6 address stands in brackets.
  std::string to_string() const;

  /// Reads "corolla://PEERID@HOST:PORT" with a port that can be dialled; nullopt for anything else.
  static std::optional<address> parse(std::string_view text);
  /// Reads "HOST:PORT"; port 0 stands for any free one.  nullopt for anything else.
  static std::optional<address> parse_host_port(std::string_view text);
};

}  // namespace corolla::crypto
