// Who belongs to a private swarm: certificates that its key signed, each for one peer, one role and some time.
#pragma once

#include "crypto/bytes.hpp"
#include "crypto/identity.hpp"
#include "crypto/swarm.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace corolla::crypto {

/// What a member may do.  Append only: the numbers travel.
enum class role : uint8_t {
  /// Serve blocks, and use the swarm.
  server = 1,
  /// Use the swarm.
  client = 2,
  /// Everything.
  admin = 3,
};

/// "server", "client", "admin"
std::string_view to_string(role r);
std::optional<role> parse_role(std::string_view text);
/// True if who holds `held` may do what `needed` may.
bool includes(role held, role needed);

/// As it travels: nothing in it is proved.
struct certificate {
  public_key_bytes swarm_key{};
  peer_id peer;
  crypto::role role = crypto::role::client;
  /// Unix time; from this second on it is worth nothing.
  std::chrono::sys_seconds expires{};
  signature_bytes signature{};

  bool operator==(const certificate&) const = default;
};

/// Bytes of an encoded certificate: version, role, expiry, swarm key, peer, signature.
inline constexpr size_t certificate_size = 1 + 1 + 8 + 32 + 32 + 64;

/// Signs a certificate with the key of a swarm.
certificate issue(const identity& swarm, const peer_id& peer, role granted, std::chrono::sys_seconds expires);

std::vector<std::byte> encode(const certificate& c);
/// nullopt unless `bytes` is what `encode` gives for some certificate; its signature is not looked at.
std::optional<certificate> decode_certificate(byte_view bytes);

/// "corolla-cert-" and 221 characters of lowercase base32: a line to hand around.
std::string to_text(const certificate& c);
/// Takes what to_text writes; white space around it is no matter, since people paste it.
std::optional<certificate> certificate_from_text(std::string_view text);
/// Reads a file that holds such a text.  Throws std::runtime_error if it cannot, or if the file holds anything else.
certificate load_certificate(const std::filesystem::path& file);

/// Why a certificate was not accepted.
enum class refusal_reason { malformed, wrong_swarm, bad_signature, wrong_peer, expired, wrong_role };

struct refusal {
  refusal_reason reason;
  /// For people, and fit to be shown to the peer.
  std::string sentence;
};

/// A certificate that was judged and holds.  `judge` alone makes one.
class membership {
 public:
  const peer_id& peer() const { return peer_; }
  crypto::role role() const { return role_; }
  std::chrono::sys_seconds expires() const { return expires_; }

 private:
  friend std::variant<membership, refusal> judge(
      byte_view, const swarm_id&, const peer_id&, std::chrono::sys_seconds, std::optional<crypto::role>);

  explicit membership(const certificate& proved) : peer_{proved.peer}, role_{proved.role}, expires_{proved.expires} {}

  peer_id peer_;
  crypto::role role_;
  std::chrono::sys_seconds expires_;
};

/// Judges the certificate that a peer shows.  `proved` is its id as TLS proved it, `now` the verifier's own wall clock.
[[nodiscard]] std::variant<membership, refusal> judge(
    byte_view shown, const swarm_id& swarm, const peer_id& proved, std::chrono::sys_seconds now,
    std::optional<role> needed = std::nullopt);

/// "45min", "12h", "30d": a number and one of s, min, h, d, w.  nullopt for anything else, for nothing and for more
/// than a hundred years.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

}  // namespace corolla::crypto
