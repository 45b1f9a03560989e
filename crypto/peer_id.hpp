// Who a peer is: the SHA-256 of its raw Ed25519 public key.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace corolla::crypto {

/// A raw Ed25519 public key.
using public_key_bytes = std::array<uint8_t, 32>;

struct peer_id {
  std::array<uint8_t, 32> bytes{};

  auto operator<=>(const peer_id&) const = default;

  /// 52 characters of lowercase base32.
  std::string to_string() const;
  /// Takes what to_string writes and nothing else.
  static std::optional<peer_id> parse(std::string_view text);
  /// The peer that holds `key`.
  static peer_id of(const public_key_bytes& key);
};

}  // namespace corolla::crypto

template <>
struct std::hash<corolla::crypto::peer_id> {
  // Ids are digests already, but their owners choose them: a table that strangers fill must bound its size.
  size_t operator()(const corolla::crypto::peer_id& id) const noexcept {
    size_t value;
    std::memcpy(&value, id.bytes.data(), sizeof value);
    return value;
  }
};
