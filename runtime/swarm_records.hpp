// A swarm as seen from outside: joins it, asks, and leaves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/protocol.hpp"
#include "actors/route_actor.hpp"
#include "runtime/swarm_options.hpp"

namespace corolla::runtime {

/// Asks the first of `peers` (corolla://ID@HOST:PORT) that answers.  Throws std::runtime_error with a sentence where
/// none does.
std::vector<actors::server_record> read_records(const swarm_options& options, const std::vector<std::string>& peers);

/// The same, and this machine's ways to servers that a route may begin or end with.
struct seen_ways {
  std::vector<actors::server_record> servers;
  std::vector<actors::ping_time> ways;
};
seen_ways read_records_and_ways(
    const swarm_options& options, const std::vector<std::string>& peers, const actors::route_model& model,
    const actors::route_options& route);

struct drained_server {
  std::string peer;
  uint32_t sessions = 0;  ///< which it moves to others first
};
/// Asks a server, by its id or enough of it to tell it from others, to leave the swarm in order.  Throws
/// std::runtime_error where no server or several are meant, where it cannot be reached, or where it refuses.
drained_server drain_server(const swarm_options& options, const std::vector<std::string>& peers, const std::string& id);

/// What a server answered; `list` is empty where it did not.
struct told_sessions {
  actors::server_record server;
  actors::session_list list;
  caf::error failure;
};
/// Asks all servers that the first of `peers` that answers knows of, at once; each gets a few seconds to be reached and
/// a few to answer.  Throws as read_records.
std::vector<told_sessions> read_sessions(const swarm_options& options, const std::vector<std::string>& peers);

}  // namespace corolla::runtime
