// A server as a process: what `corolla node` runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "model/span.hpp"

namespace corolla::runtime {

class node_config;

/// Where a node's blocks come from: as model::span::load.
using span_loader = std::function<std::unique_ptr<model::span>(
    const model::checkpoint&, model::block_range, const model::span_options&,
    const std::function<void(uint32_t, uint32_t)>& progress)>;

/// Serves config.options() until SIGTERM or SIGINT and prints the ready line on standard output; an actor system is
/// made of `config`.  Returns the exit status; throws what kept it from starting.
int run_node(node_config& config, const span_loader& load_span = model::span::load);

}  // namespace corolla::runtime
