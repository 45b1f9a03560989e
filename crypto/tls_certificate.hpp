// The certificates of links: each node signs its own, and only the key in it counts.  Not for other folders.
#pragma once

#include "crypto/identity.hpp"
#include "crypto/openssl.hpp"

#include <optional>

namespace corolla::crypto {

/// Most bytes of a certificate in DER.
inline constexpr size_t max_certificate_bytes = 2048;

/// A certificate for `key`, signed with it.
x509_ptr make_certificate(EVP_PKEY* key);

/// The key that `certificate` was made for, or nullopt unless it is Ed25519 and signed the certificate itself.  Names,
/// dates and extensions mean nothing.
[[nodiscard]] std::optional<public_key_bytes> self_signed_key(X509* certificate);

}  // namespace corolla::crypto
