// How far other servers are: round trips by the links' pings, bandwidth by what came over them.
#pragma once

#include <caf/fwd.hpp>

#include "actors/protocol.hpp"

namespace corolla::actors {

/// Ends with its node.  `connector` links to servers that are asked for.
probe_actor spawn_probe(caf::actor_system& system, connector_actor connector);

}  // namespace corolla::actors
