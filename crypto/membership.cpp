#include "crypto/membership.hpp"

#include "crypto/base32.hpp"
#include "crypto/file.hpp"

#include <charconv>
#include <stdexcept>

namespace corolla::crypto {

namespace {

constexpr uint8_t layout_version = 1;
constexpr std::string_view signing_context = "membership";
constexpr std::string_view text_prefix = "corolla-cert-";
constexpr std::string_view white_space = " \t\r\n";
// A certificate in text and what an editor may leave around it.
constexpr size_t max_certificate_file = 1024;

/// All of an encoded certificate but the signature, which is over this.
std::vector<std::byte> encode_claims(const certificate& c) {
  std::vector<std::byte> bytes;
  bytes.reserve(certificate_size);
  append_byte(bytes, layout_version);
  append_byte(bytes, static_cast<uint8_t>(c.role));
  append_int64(bytes, c.expires.time_since_epoch().count());
  append(bytes, c.swarm_key);
  append(bytes, c.peer.bytes);
  return bytes;
}

bool is_role(uint8_t number) {
  return number >= 1 && number <= 3;
}

std::string_view trim(std::string_view text) {
  auto begin = text.find_first_not_of(white_space);
  return begin == text.npos ? std::string_view{} : text.substr(begin, text.find_last_not_of(white_space) + 1 - begin);
}

}  // namespace

std::string_view to_string(role r) {
  switch (r) {
    case role::server:
      return "server";
    case role::client:
      return "client";
    case role::admin:
      return "admin";
  }
  return "unknown";
}

std::optional<role> parse_role(std::string_view text) {
  for (auto r : {role::server, role::client, role::admin})
    if (text == to_string(r)) return r;
  return std::nullopt;
}

bool includes(role held, role needed) {
  return held == needed || held == role::admin || (held == role::server && needed == role::client);
}

certificate issue(const identity& swarm, const peer_id& peer, role granted, std::chrono::sys_seconds expires) {
  certificate c{swarm.public_key(), peer, granted, expires, {}};
  c.signature = swarm.sign(signing_context, encode_claims(c));
  return c;
}

std::vector<std::byte> encode(const certificate& c) {
  auto bytes = encode_claims(c);
  append(bytes, c.signature);
  return bytes;
}

std::optional<certificate> decode_certificate(byte_view bytes) {
  if (bytes.size() != certificate_size) return std::nullopt;
  byte_reader reader{bytes};
  auto version = reader.read_byte();
  auto number = reader.read_byte();
  if (version != layout_version || !is_role(number)) return std::nullopt;
  certificate c;
  c.role = static_cast<role>(number);
  c.expires = std::chrono::sys_seconds{std::chrono::seconds{reader.read_int64()}};
  c.swarm_key = reader.read<sizeof(public_key_bytes)>();
  c.peer.bytes = reader.read<sizeof(peer_id::bytes)>();
  c.signature = reader.read<sizeof(signature_bytes)>();
  return c;
}

std::string to_text(const certificate& c) {
  auto bytes = encode(c);
  return std::string{text_prefix} + to_base32({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

std::optional<certificate> certificate_from_text(std::string_view text) {
  text = trim(text);
  std::array<uint8_t, certificate_size> bytes;
  if (!text.starts_with(text_prefix) || !from_base32(text.substr(text_prefix.size()), bytes)) return std::nullopt;
  return decode_certificate(std::as_bytes(std::span{bytes}));
}

certificate load_certificate(const std::filesystem::path& file) {
  auto text = read_small_file(file, max_certificate_file, access::anyone);
  if (!text)
    throw std::runtime_error(file.string() + " does not exist: save there the certificate that you were given");
  auto c = certificate_from_text(*text);
  if (!c)
    throw std::runtime_error(
        file.string() + " holds no certificate: it should be one line that begins with " + std::string{text_prefix});
  return *c;
}

std::variant<membership, refusal> judge(
    byte_view shown, const swarm_id& swarm, const peer_id& proved, std::chrono::sys_seconds now,
    std::optional<role> needed) {
  auto c = decode_certificate(shown);
  if (!c) return refusal{refusal_reason::malformed, "what was shown is no membership certificate of a known version"};
  auto issuer = swarm_id::of(c->swarm_key);
  if (issuer != swarm)
    return refusal{
        refusal_reason::wrong_swarm, "the certificate is for " + issuer.to_string() + ", not for " + swarm.to_string()};
  if (!verify(c->swarm_key, signing_context, encode_claims(*c), c->signature))
    return refusal{refusal_reason::bad_signature, "the certificate was not signed by the key of " + swarm.to_string()};
  if (c->peer != proved)
    return refusal{
        refusal_reason::wrong_peer,
        "the certificate is for peer " + c->peer.to_string() + ", not for " + proved.to_string()};
  if (now >= c->expires) return refusal{refusal_reason::expired, "the certificate has expired: ask for a new one"};
  if (needed && !includes(c->role, *needed))
    return refusal{
        refusal_reason::wrong_role, "the certificate makes its holder a " + std::string{to_string(c->role)} +
                                        ", and it takes a " + std::string{to_string(*needed)}};
  return membership{*c};
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  using namespace std::chrono_literals;
  constexpr std::pair<std::string_view, std::chrono::seconds> units[] = {
      {"s", 1s}, {"min", 1min}, {"h", 1h}, {"d", 24h}, {"w", 7 * 24h}};
  constexpr std::chrono::seconds longest = 100 * 365 * 24h;
  uint64_t count = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || count == 0) return std::nullopt;
  auto name = text.substr(static_cast<size_t>(end - text.data()));
  for (auto& [unit, length] : units)
    if (name == unit && count <= static_cast<uint64_t>(longest / length)) return length * static_cast<int64_t>(count);
  return std::nullopt;
}

}  // namespace corolla::crypto
