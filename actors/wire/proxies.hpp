// Local actors that stand for what is at the other end of a link.  Each ends with its link and with what it speaks for.
#pragma once

#include "actors/protocol.hpp"
#include "actors/wire/link.hpp"

namespace corolla::actors::wire {

/// The client's handle on a session at a server: `stream` is the one it was opened on.  Ends the stream when told to
/// close.
session_control_actor spawn_control_proxy(caf::actor_system& system, link_actor link, uint64_t stream);

/// A server's door to the client of a session: `applied` and `failed` travel on the stream of its OPEN.
session_events_actor spawn_events_proxy(caf::actor_system& system, link_actor link, uint64_t stream);

using begin_atom = caf::atom_constant<caf::atom("begin")>;

/// ATTACHER: the peer actor, as a sink proxy sees it.  It numbers all streams of its side and sends what begins them,
/// so that they begin in the order of their numbers.
using attacher_actor = caf::typed_actor<
    // Attaches to a session at the peer; answers with the stream on which steps go.
    caf::replies_to<begin_atom, session_id, edge_owner_actor>::with<uint64_t>>;

/// A door to a session at the peer: attaches with the first step; a step is answered when its last byte went out under
/// credit. Ends its stream, and itself, when `owner` ends.
step_sink_actor spawn_sink_proxy(
    caf::actor_system& system, link_actor link, attacher_actor peer, const session_id& session, edge_owner_actor owner);

}  // namespace corolla::actors::wire
