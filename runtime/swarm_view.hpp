// A look at a swarm from outside: joins it, reads who serves what, and leaves.
#pragma once

#include <string>
#include <vector>

#include "actors/protocol.hpp"
#include "runtime/swarm_options.hpp"

namespace corolla::runtime {

/// All live records that the first of `peers` (corolla://ID@HOST:PORT) that answers knows.  Takes at most 15 s for each
/// of them.  Throws client_error with a sentence.
std::vector<actors::server_record> read_records(const std::vector<std::string>& peers, const swarm_options& swarm);

}  // namespace corolla::runtime
