#include "runtime/caf_defaults.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>

namespace corolla::runtime {

void set_caf_defaults(caf::actor_system_config& config) {
  config.set("scheduler.policy", caf::atom("sharing"));
  // What computes or waits is detached; all others only hand messages on, and would wake each other across threads.
  config.set("scheduler.max-threads", 1);
  // Nor may one of them that a peer keeps busy hold that thread.
  config.set("scheduler.max-throughput", 16);
  config.set("middleman.workers", 0);
  config.set("logger.console", caf::atom("none"));
  config.set("logger.console-verbosity", caf::atom("quiet"));
  config.set("logger.file-verbosity", caf::atom("quiet"));
}

}  // namespace corolla::runtime
