// Bytes that their author signed, to be relayed by anyone.  What was verified has a type of its own.
#pragma once

#include "crypto/bytes.hpp"
#include "crypto/identity.hpp"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace corolla::crypto {

/// As it travels: nothing in it is proved.
struct signed_record {
  public_key_bytes key{};
  signature_bytes signature{};
  std::vector<std::byte> payload;

  bool operator==(const signed_record&) const = default;
};

/// Bytes of an encoded record beyond its payload.
inline constexpr size_t signed_record_overhead = sizeof(public_key_bytes) + sizeof(signature_bytes);

/// Payload and signer of a record whose signature holds.  `open` alone makes one.
class verified_bytes {
 public:
  const peer_id& signer() const { return signer_; }
  byte_view bytes() const { return bytes_; }

 private:
  friend std::optional<verified_bytes> open(signed_record, std::string_view);

  verified_bytes(const peer_id& signer, std::vector<std::byte> bytes) : signer_{signer}, bytes_{std::move(bytes)} {}

  peer_id signer_;
  std::vector<std::byte> bytes_;
};

/// Signs `payload` for one purpose: the record opens with the same `context` alone.
signed_record sign_record(const identity& author, std::string_view context, std::vector<std::byte> payload);

/// nullopt for a forgery.
[[nodiscard]] std::optional<verified_bytes> open(signed_record record, std::string_view context);

/// Key, signature, payload.
std::vector<std::byte> encode(const signed_record& record);

/// nullopt if `bytes` is too short for a record, or its payload larger than `max_payload`; the check comes before the
/// copy.
std::optional<signed_record> decode_record(byte_view bytes, size_t max_payload);

}  // namespace corolla::crypto
