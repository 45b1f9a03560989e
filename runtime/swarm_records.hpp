// The records of a swarm, read from outside: joins it, asks, and leaves.
#pragma once

#include <string>
#include <vector>

#include "actors/protocol.hpp"
#include "runtime/swarm_options.hpp"

namespace corolla::runtime {

/// Asks the first of `peers` (corolla://ID@HOST:PORT) that answers.  Throws std::runtime_error with a sentence where
/// none does.
std::vector<actors::server_record> read_records(const swarm_options& options, const std::vector<std::string>& peers);

}  // namespace corolla::runtime
