#include "crypto/peer_id.hpp"

#include "crypto/base32.hpp"
#include "crypto/openssl.hpp"

namespace corolla::crypto {

std::string peer_id::to_string() const {
  return to_base32(bytes);
}

std::optional<peer_id> peer_id::parse(std::string_view text) {
  peer_id id;
  if (!from_base32(text, id.bytes)) return std::nullopt;
  return id;
}

peer_id peer_id::of(const public_key_bytes& key) {
  peer_id id;
  require(
      EVP_Digest(key.data(), key.size(), id.bytes.data(), nullptr, EVP_sha256(), nullptr) == 1, "compute a SHA-256");
  return id;
}

}  // namespace corolla::crypto
