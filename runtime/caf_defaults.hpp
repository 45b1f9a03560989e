// CAF's settings that every process of ours starts from.
#pragma once

#include <caf/fwd.hpp>

namespace corolla::runtime {

/// Work sharing, no middleman workers (they cost 0.1-0.2 ms a hop), and no word from CAF's own logger.  Before parsing.
void set_caf_defaults(caf::actor_system_config& config);

}  // namespace corolla::runtime
