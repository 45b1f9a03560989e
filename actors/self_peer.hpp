// A node as a peer of its own: where two hops of a route are at the same server, steps go from one to the other without
// a link.
#pragma once

#include "actors/protocol.hpp"

namespace corolla::actors {

/// Ends with `node`.
peer_actor spawn_self_peer(caf::actor_system& system, node_actor node, const peer_id& self);

}  // namespace corolla::actors
