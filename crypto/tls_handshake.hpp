// What a TLS handshake must prove, and the settings that leave it no other way.  Not for other folders.
#pragma once

#include "crypto/openssl.hpp"
#include "crypto/peer_id.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace corolla::crypto {

/// What OpenSSL's callbacks learn about one connection.  Set as the SSL object's app data before it does anything.
struct tls_handshake {
  std::optional<peer_id> expected;
  /// Whose certificate the peer showed.  That it holds the key is proved only when the handshake is done.
  std::optional<peer_id> claimed;
  /// Why a callback made OpenSSL give up; empty if none did.
  std::string refusal;
  bool done = false;
  /// How often the peer may still change its key: each change costs us a key derivation, and it 27 bytes.
  uint64_t key_changes_left = 16;
};

/// Settings and certificate for all connections of the holder of `key`.
std::shared_ptr<SSL_CTX> make_tls_settings(EVP_PKEY* key);

}  // namespace corolla::crypto
