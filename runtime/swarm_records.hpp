// A swarm as seen from outside: joins it, asks, and leaves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/protocol.hpp"
#include "runtime/swarm_options.hpp"

namespace corolla::runtime {

/// Asks the first of `peers` (corolla://ID@HOST:PORT) that answers.  Throws std::runtime_error with a sentence where
/// none does.
std::vector<actors::server_record> read_records(const swarm_options& options, const std::vector<std::string>& peers);

struct drained_server {
  std::string peer;
  uint32_t sessions = 0;  ///< which it moves to others first
};
/// Asks a server, by its id or enough of it to tell it from others, to leave the swarm in order.  Throws
/// std::runtime_error where no server or several are meant, where it cannot be reached, or where it refuses.
drained_server drain_server(const swarm_options& options, const std::vector<std::string>& peers, const std::string& id);

}  // namespace corolla::runtime
