// What a node tells the swarm of itself: what it serves, and now and then how busy it is.
#pragma once

#include "actors/node_state.hpp"

namespace corolla::actors::publishing {

/// Tells the swarm what this node serves, from now on; answers once so many peers have taken the record.
caf::result<taken> publish(node_pointer self, uint32_t acknowledgements);
/// Nobody waits for that any more.
void give_up(node_pointer self);
/// Tells it at once of what has changed.
void announce(node_pointer self);
/// Looks at the block and the links again, as long as the node is published.  The directory decides what is worth
/// telling.
void sample(node_pointer self);

}  // namespace corolla::actors::publishing
