// Who serves what: signed records, pushed to every node as they change and reconciled by digests.  Soft state: a record
// that its owner does not refresh is gone after its lifetime, one that was withdrawn at once, and that of a server
// whose links end as soon as whoever holds it has tried for itself.
#pragma once

#include "actors/policy/gossip.hpp"
#include "actors/protocol.hpp"

namespace corolla::actors {

struct directory_config {
  crypto::identity self;
  /// What strangers can make a node keep and do.
  policy::gossip_limits limits{};
};

/// In a thread of its own: it checks a signature for each record that a peer cares to send, and steps must not wait for
/// that.
directory_actor spawn_directory(caf::actor_system& system, directory_config config);
/// The same among the other actors: for clients, and for tests in virtual time.
directory_actor spawn_directory_undetached(caf::actor_system& system, directory_config config);

}  // namespace corolla::actors
