// The links that a server keeps to other servers, besides those that sessions need: without them the loss of the one
// node that everybody was started with would leave nobody to talk to.
#pragma once

#include "actors/node_state.hpp"

namespace corolla::actors::neighbours {

/// Dials the servers that follow this one in the circle of ids, where no link to them is up.
void tend(node_pointer self);

}  // namespace corolla::actors::neighbours
