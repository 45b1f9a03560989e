// What a peer asks of this node: sessions, steps, records.
#pragma once

#include "actors/wire/peer_state.hpp"

namespace corolla::actors::wire {

void serve_open(peer_pointer self, uint64_t stream, const open_body& body);
void close_served(peer_pointer self, uint64_t stream);
void serve_accept(peer_pointer self, uint64_t stream, const accept_body& body);
void serve_prompts(peer_pointer self, const incoming& message);
void serve_restore(peer_pointer self, uint64_t stream, const edge_body& body);
void serve_relink(peer_pointer self, uint64_t stream, const edge_body& body);
void serve_hand_over(peer_pointer self, uint64_t stream, const hand_over_body& body);
void serve_prepare(peer_pointer self, uint64_t stream, const edge_body& body);
void serve_drain(peer_pointer self, const drain_body& body);
void serve_sessions(peer_pointer self, const sessions_body& body);
void serve_status(peer_pointer self, uint64_t stream);
void serve_attach(peer_pointer self, uint64_t stream, const attach_body& body);
void serve_step(peer_pointer self, incoming& message);

}  // namespace corolla::actors::wire
