// What the servers of a swarm say of the sessions that they run: the proof of what was computed where.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/swarm_options.hpp"

namespace corolla::runtime {

/// As actors::session_status.
struct seen_session {
  std::string session;  ///< in hexadecimal
  std::string client;
  uint32_t begin = 0, end = 0;  ///< its blocks
  bool restoring = false;
  uint64_t epoch = 0;
  uint64_t applied = 0;  ///< highest step
  uint64_t steps = 0;    ///< of this session: each `seq` counts once
  uint64_t dropped = 0;
  uint32_t position = 0, restored = 0;  ///< tokens
  uint64_t client_bytes = 0, server_bytes = 0, log_bytes = 0;
  double age_s = 0;
};

struct server_sessions {
  std::string peer;
  std::string model;  ///< its name
  uint32_t begin = 0, end = 0;
  std::string failure;                 ///< why it told nothing; empty: it told
  uint32_t total = 0;                  ///< which it runs, where they are more than those below
  std::vector<seen_session> sessions;  ///< by client, then by their blocks
};

/// Asks the first of `peers` that answers for all servers, and those for their sessions, all at once: servers by model,
/// first block and id.  One that cannot be reached or does not answer within a few seconds has a `failure`.  Throws
/// std::runtime_error with a sentence where none of `peers` answers, or where this peer may not ask.
std::vector<server_sessions> look_at_sessions(const swarm_options& options, const std::vector<std::string>& peers);

}  // namespace corolla::runtime
