// The sessions of a node: which opens it grants, and where steps for a session go.
#pragma once

#include "actors/node_state.hpp"

namespace corolla::actors::sessions {

caf::result<session_actor> open(
    node_pointer self, open_request& request, const peer_id& client, session_events_actor events);
caf::result<step_sink_actor> find(node_pointer self, const session_id& session);
caf::result<taken> add_route(node_pointer self, const session_id& session, step_sink_actor sink);
/// A session or a route has ended, or whoever waited for a session to open.
void ended(node_pointer self, const caf::actor_addr& source);
/// Sessions of clients that are open here.
uint32_t running(node_pointer self);
/// What they have done; one that does not answer, or ends meanwhile, is left out.
caf::result<session_list> list(node_pointer self);
/// What is not open yet opens elsewhere.
void refuse_openings(node_pointer self);
/// Their clients are told that this node is about to leave.
void tell_leaving(node_pointer self);
void close_all(node_pointer self);

}  // namespace corolla::actors::sessions
