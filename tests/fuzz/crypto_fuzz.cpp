// Any bytes as what strangers hand around: records, certificates and addresses, each read from its one encoding or
// refused.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "crypto/address.hpp"
#include "crypto/membership.hpp"
#include "crypto/signed_record.hpp"
#include "tests/fuzz/require.hpp"

namespace {

using namespace corolla::crypto;

void read_record(byte_view bytes) {
  constexpr size_t max_payload = 256;
  auto record = decode_record(bytes, max_payload);
  auto fits = bytes.size() >= signed_record_overhead && bytes.size() - signed_record_overhead <= max_payload;
  REQUIRE(record.has_value() == fits);
  if (!record) return;
  REQUIRE(std::ranges::equal(encode(*record), bytes));
  if (auto verified = open(*record, "fuzz"))
    REQUIRE(verified->signer() == peer_id::of(record->key) && std::ranges::equal(verified->bytes(), record->payload));
}

void read_certificate(byte_view bytes) {
  auto c = decode_certificate(bytes);
  if (!c) return;
  REQUIRE(std::ranges::equal(encode(*c), bytes));
  REQUIRE(certificate_from_text(to_text(*c)) == c);
  // Whatever it says, its own signature alone does not make it hold at another swarm.
  auto judged = judge(bytes, swarm_id{}, c->peer, std::chrono::sys_seconds{});
  REQUIRE(std::holds_alternative<refusal>(judged));
}

void read_certificate_text(std::string_view text) {
  auto c = certificate_from_text(text);
  if (!c) return;
  REQUIRE(text.find(to_text(*c)) != text.npos);
}

void read_address(std::string_view text) {
  if (auto whole = address::parse(text)) {
    REQUIRE(whole->peer && whole->port != 0 && whole->host.size() <= max_host);
    REQUIRE(whole->to_string() == text);
  }
  if (auto place = address::parse_host_port(text)) {
    REQUIRE(!place->peer && place->host.size() <= max_host);
    REQUIRE(place->to_string() == text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = std::as_bytes(std::span{data, size});
  auto text = std::string_view{reinterpret_cast<const char*>(data), size};
  read_record(bytes);
  read_certificate(bytes);
  read_certificate_text(text);
  read_address(text);
  return 0;
}
