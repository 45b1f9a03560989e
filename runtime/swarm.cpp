#include "runtime/swarm.hpp"

#include <chrono>
#include <random>
#include <stdexcept>

#include "crypto/membership.hpp"
#include "runtime/version.hpp"

namespace corolla::runtime {
namespace {

using crypto::swarm_kind;

std::chrono::sys_seconds wall_clock() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

const std::vector<crypto::role> anyones_roles{crypto::role::server, crypto::role::client};
const std::vector<crypto::role> every_role{crypto::role::server, crypto::role::client, crypto::role::admin};

void join_private(const swarm_options& options, swarm_membership& membership, bool is_server) {
  auto swarm = crypto::swarm_id::parse(options.id);
  if (!swarm)
    throw std::runtime_error("a private swarm needs its id, \"swarm-...\" as `corolla keys new-swarm` printed it");
  if (options.certificate.empty())
    throw std::runtime_error(
        "a private swarm needs a certificate for " + membership.self.peer().to_string() +
        ": whoever holds the swarm's key makes it with `corolla keys invite`");
  auto encoded = crypto::encode(crypto::load_certificate(options.certificate));
  auto needed = is_server ? crypto::role::server : crypto::role::client;
  auto verdict = crypto::judge(encoded, *swarm, membership.self.peer(), wall_clock(), needed);
  if (auto refused = std::get_if<crypto::refusal>(&verdict))
    throw std::runtime_error(options.certificate.string() + ": " + refused->sentence);
  auto bytes = reinterpret_cast<const uint8_t*>(encoded.data());
  membership.link.certificate.assign(bytes, bytes + encoded.size());
  membership.link.judge =
      [id = *swarm](std::span<const uint8_t> shown, actors::link_info& info) -> std::optional<actors::wire::refusal> {
    if (shown.empty())
      return actors::wire::refusal{
          actors::errc::not_a_member,
          "the swarm is private, and no certificate was shown: ask for one, and set --swarm private"};
    // Who says that it serves must be allowed to.
    auto claimed = info.is_server ? crypto::role::server : crypto::role::client;
    auto result = crypto::judge(std::as_bytes(shown), id, info.peer, wall_clock(), claimed);
    if (auto refused = std::get_if<crypto::refusal>(&result))
      return actors::wire::refusal{actors::errc::not_a_member, refused->sentence};
    info.roles = {std::get<crypto::membership>(result).role()};
    return std::nullopt;
  };
}

}  // namespace

std::string software_name() {
  return std::string{"corolla/"} + std::string{version};
}

swarm_membership join_swarm(const swarm_options& options, bool is_server) {
  auto kind = crypto::parse_swarm_kind(options.kind);
  if (!kind) throw std::runtime_error("swarm \"" + options.kind + "\" is none of local, open and private");
  swarm_membership membership{
      options.identity.empty() ? crypto::identity::generate() : crypto::identity::load_or_make(options.identity), {}};
  auto& link = membership.link;
  link.tls = std::make_shared<const crypto::tls_context>(membership.self);
  link.self = membership.self.peer();
  link.is_server = is_server;
  link.software = software_name();
  link.instance = std::random_device{}() | uint64_t{std::random_device{}()} << 32;
  // Who may join a local swarm is decided by the loopback interface.  An open one admits anyone, and obeys nobody.
  const auto& roles = *kind == swarm_kind::open ? anyones_roles : every_role;
  link.judge = [&roles](std::span<const uint8_t>, actors::link_info& info) -> std::optional<actors::wire::refusal> {
    info.roles = roles;
    return std::nullopt;
  };
  if (*kind == swarm_kind::private_) join_private(options, membership, is_server);
  return membership;
}

}  // namespace corolla::runtime
