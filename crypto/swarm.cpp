#include "crypto/swarm.hpp"

#include "crypto/base32.hpp"

namespace corolla::crypto {

namespace {

constexpr std::string_view id_prefix = "swarm-";

}  // namespace

std::string_view to_string(swarm_kind kind) {
  switch (kind) {
    case swarm_kind::local:
      return "local";
    case swarm_kind::open:
      return "open";
    case swarm_kind::private_:
      return "private";
  }
  return "unknown";
}

std::optional<swarm_kind> parse_swarm_kind(std::string_view text) {
  for (auto kind : {swarm_kind::local, swarm_kind::open, swarm_kind::private_})
    if (text == to_string(kind)) return kind;
  return std::nullopt;
}

std::string swarm_id::to_string() const {
  return std::string{id_prefix} + to_base32(bytes);
}

std::optional<swarm_id> swarm_id::parse(std::string_view text) {
  swarm_id id;
  if (!text.starts_with(id_prefix) || !from_base32(text.substr(id_prefix.size()), id.bytes)) return std::nullopt;
  return id;
}

swarm_id swarm_id::of(const public_key_bytes& key) {
  return {peer_id::of(key).bytes};
}

}  // namespace corolla::crypto
