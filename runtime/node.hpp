// A server as a process: what `corolla node` runs.
#pragma once

namespace corolla::runtime {

class node_config;

/// Serves config.options() until SIGTERM or SIGINT and prints the ready line on standard output; an actor system is
/// made of `config`.  Returns the exit status; throws what kept it from starting.
int run_node(node_config& config);

}  // namespace corolla::runtime
