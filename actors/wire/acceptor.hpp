// Listens, and turns each connection into a link.  Until its peer is proved a connection is cheap, and bounded: so many
// for an address, so many in all; the oldest makes room for the newest.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "actors/wire/link.hpp"

namespace corolla::actors::wire {

struct acceptor_status {
  uint32_t unproved = 0;   ///< connections whose peers are not proved yet
  uint64_t accepted = 0;   ///< connections, since the start
  uint64_t displaced = 0;  ///< unproved ones that made room for newer ones
};

/// ACCEPTOR.  Ends, and stops to listen, with an exit message; links that were accepted live on.
using acceptor_actor = caf::typed_actor<caf::replies_to<status_atom>::with<acceptor_status>>;

struct acceptor_start {
  std::string host = "127.0.0.1";  ///< a numeric address, IPv4 or IPv6, or a name of this machine
  uint16_t port = 0;               ///< 0: the kernel chooses
  std::shared_ptr<const link_config> config;
  make_owner owner;
  uint32_t per_address = limits::unproved_per_address;
  uint32_t in_all = limits::unproved_in_all;
};

struct listening {
  acceptor_actor acceptor;
  std::string host;   ///< numeric, without brackets
  uint16_t port = 0;  ///< as the kernel has it
};

/// Listens at once, so that a port in use is an error here: unreachable, with a sentence that says what to do.
caf::expected<listening> spawn_acceptor(caf::actor_system& system, acceptor_start start);

}  // namespace corolla::actors::wire

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::wire::acceptor_status)
