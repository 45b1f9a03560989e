// What this node asks of a peer, and what the peer answers.
#pragma once

#include "actors/wire/peer_state.hpp"

namespace corolla::actors::wire {

caf::result<session_control_actor> open_there(
    peer_pointer self, const open_request& request, session_events_actor events);
void open_overdue(peer_pointer self, uint64_t stream);
uint64_t begin_edge(peer_pointer self, const edge_target& to, edge_owner_actor owner);
caf::result<taken> hand_over(peer_pointer self, const signed_server_record& record);
void take_opened(peer_pointer self, uint64_t stream, const opened_body& body);
void take_refused(peer_pointer self, uint64_t stream, const refused_body& body);
void take_answer(peer_pointer self, uint64_t stream, const answer_body& body);
void take_status(peer_pointer self, uint64_t stream, const status_reply_body& body);
void take_events(peer_pointer self, const incoming& message);
void take_step_refused(peer_pointer self, uint64_t stream, const step_refused_body& body);
/// Asks the peer's node to leave.
caf::result<uint32_t> ask_to_leave(peer_pointer self);
void take_drain_reply(peer_pointer self, const drain_reply_body& body);
caf::result<session_list> ask_for_sessions(peer_pointer self);
void take_sessions(peer_pointer self, const sessions_reply_body& body);
void take_record_taken(peer_pointer self, const record_taken_body& body);
void take_snapshot_end(peer_pointer self);

}  // namespace corolla::actors::wire
