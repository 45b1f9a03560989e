// Local actors that stand for what is at the other end of a link.  Each ends with its link and with what it speaks for.
#pragma once

#include "actors/protocol.hpp"
#include "actors/wire/link.hpp"

namespace corolla::actors::wire {

using answer_atom = caf::atom_constant<caf::atom("answer")>;
using begin_atom = caf::atom_constant<caf::atom("begin")>;

/// What the peer answered to a request of this tag.
struct control_answer {
  uint64_t tag = 0;
  caf::error refusal;  // none: it was done
  accepted done;       // of an accept
};

/// CONTROL PROXY: a session's control, and the ear for what the peer answers to it.
using control_proxy_actor = session_control_actor::extend<
    caf::reacts_to<answer_atom, control_answer>, caf::reacts_to<answer_atom, session_status>>;

/// The client's handle on a session at a server: `stream` is the one it was opened on.  Ends the stream when told to
/// close.
control_proxy_actor spawn_control_proxy(caf::actor_system& system, link_actor link, uint64_t stream);

/// A server's door to the client of a session: its events travel on the stream of its OPEN.
session_events_actor spawn_events_proxy(caf::actor_system& system, link_actor link, uint64_t stream);

/// ATTACHER: the peer actor, as an edge proxy sees it.  It numbers all streams of its side and sends what begins them,
/// so that they begin in the order of their numbers.
using attacher_actor = caf::typed_actor<
    // Attaches to a session at the peer; answers with the stream on which steps go.
    caf::replies_to<begin_atom, edge_target, edge_owner_actor>::with<uint64_t>>;

/// The way to a session at the peer: attaches with the first step; a step is answered when its last byte went out under
/// credit.  Steps arrive in the order in which they were given.  Ends its stream, and itself, when closed or when
/// `owner` ends.
edge_actor spawn_edge_proxy(
    caf::actor_system& system, link_actor link, attacher_actor peer, const edge_target& to, edge_owner_actor owner);

}  // namespace corolla::actors::wire

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::wire::control_answer)
