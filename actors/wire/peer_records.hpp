// What a peer and this node tell each other of servers: records, suspicions and digests.
#pragma once

#include "actors/wire/peer_state.hpp"

namespace corolla::actors::wire {

/// What is said of servers, in its order.  The directory deals with a bounded part of it at a time, so that others come
/// in between.
void take_directory_frame(peer_pointer self, incoming& message);
void send_suspicion(peer_pointer self, const signed_suspicion& suspicion);
/// Tells what this node holds, or asks for all where that is nothing.
caf::result<taken> ask_for_what_is_missing(peer_pointer self);

}  // namespace corolla::actors::wire
