// The owner of a link: turns frames into messages between actors and back.  A remote session, or the client of a local
// one, is a local actor with the same typed interface; none of them knows which peers are remote.
#pragma once

#include "actors/protocol.hpp"
#include "actors/wire/link.hpp"
#include "actors/wire/proxies.hpp"

namespace corolla::actors::wire {

/// What a peer actor serves its link with.
struct peer_config {
  node_actor node;
  directory_actor directory;
};

/// Everything that a peer actor hears: from this node's actors and from its link.
using peer_and_sink_actor = peer_actor::extend<
    caf::reacts_to<frame_atom, incoming>, caf::reacts_to<ended_atom, uint64_t>,
    // Attaches to a session at the peer (from an edge proxy).
    caf::replies_to<begin_atom, edge_target, edge_owner_actor>::with<uint64_t>,
    // An open has had its time (from itself).
    caf::reacts_to<tick_atom, uint64_t>>;

/// Spawns the owner of `link`; it tells the node that the peer is up.  Its proxies and it end with the link, whose
/// exit reason becomes theirs.
peer_and_sink_actor spawn_peer(caf::actor_system& system, link_actor link, link_info info, peer_config config);

}  // namespace corolla::actors::wire
