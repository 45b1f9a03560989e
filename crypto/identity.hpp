// An Ed25519 key pair: what a node proves itself with in TLS, and signs its records with.  A swarm's key is one too.
#pragma once

#include "crypto/bytes.hpp"
#include "crypto/peer_id.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

// OpenSSL's EVP_PKEY.
struct evp_pkey_st;

namespace corolla::crypto {

using signature_bytes = std::array<uint8_t, 64>;

/// Longest context of a signature.
inline constexpr size_t max_context = 255;

/// Copies share the key.  Safe to use from any thread.
class identity {
 public:
  static identity generate();

  /// Reads a key from a PEM file (PKCS#8).  Throws std::runtime_error where there is none, where it holds anything
  /// else, and where anyone but its owner may read or write it.
  static identity load(const std::filesystem::path& file);

  /// Reads the key, or makes it and its missing folders.  Of several processes that do so at once one makes the key and
  /// all get it.  Throws as `load` does.
  static identity load_or_make(const std::filesystem::path& file);

  const peer_id& peer() const { return peer_; }
  const public_key_bytes& public_key() const { return public_key_; }

  /// Signs `message` for one purpose: a signature made for another `context` never passes for this one.  Throws
  /// std::invalid_argument for a context beyond max_context.
  signature_bytes sign(std::string_view context, byte_view message) const;

 private:
  friend class tls_context;

  explicit identity(std::shared_ptr<evp_pkey_st> key);

  std::shared_ptr<evp_pkey_st> key_;
  public_key_bytes public_key_;
  peer_id peer_;
};

/// True if the holder of `key` signed `message` for `context`.
[[nodiscard]] bool verify(
    const public_key_bytes& key, std::string_view context, byte_view message, const signature_bytes& signature);

}  // namespace corolla::crypto
