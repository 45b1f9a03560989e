#include "crypto/signed_record.hpp"

#include <utility>

namespace corolla::crypto {

signed_record sign_record(const identity& author, std::string_view context, std::vector<std::byte> payload) {
  auto signature = author.sign(context, payload);
  return {author.public_key(), signature, std::move(payload)};
}

std::optional<verified_bytes> open(signed_record record, std::string_view context) {
  if (!verify(record.key, context, record.payload, record.signature)) return std::nullopt;
  return verified_bytes{peer_id::of(record.key), std::move(record.payload)};
}

std::vector<std::byte> encode(const signed_record& record) {
  std::vector<std::byte> bytes;
  bytes.reserve(signed_record_overhead + record.payload.size());
  append(bytes, record.key);
  append(bytes, record.signature);
  append(bytes, record.payload);
  return bytes;
}

std::optional<signed_record> decode_record(byte_view bytes, size_t max_payload) {
  if (bytes.size() < signed_record_overhead || bytes.size() - signed_record_overhead > max_payload) return std::nullopt;
  byte_reader reader{bytes};
  auto key = reader.read<sizeof(public_key_bytes)>();
  auto signature = reader.read<sizeof(signature_bytes)>();
  auto payload = reader.rest();
  return signed_record{key, signature, {payload.begin(), payload.end()}};
}

}  // namespace corolla::crypto
