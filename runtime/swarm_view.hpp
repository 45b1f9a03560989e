// One look at a swarm from outside: what its servers say of themselves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/swarm_options.hpp"

namespace corolla::runtime {

struct seen_server {
  std::string peer;
  std::vector<std::string> addresses;  ///< "HOST:PORT"
  std::string state;                   ///< joining, online or draining
  uint32_t begin = 0, end = 0;         ///< its blocks
  std::string dtype, numerics, software;
  double steps_per_s = 0;    ///< decode steps; 0: unknown
  double forward_per_s = 0;  ///< prompt tokens; 0: unknown
  double load = 0;           ///< 0 to 1
  uint64_t cache_tokens = 0, free_tokens = 0;
  struct ping {
    std::string peer;
    double ms = 0;
    double bytes_per_s = 0;  ///< of what came from there; 0: unknown
  };
  std::vector<ping> pings;
  std::vector<std::string> adapters;
};

struct seen_model {
  std::string name;
  std::string digest;  ///< in hexadecimal
  uint32_t blocks = 0;
  std::vector<seen_server> servers;  ///< by their first block, then by id
};

/// Blocks in a row that the same servers hold.
struct held_blocks {
  uint32_t begin = 0, end = 0;
  std::vector<std::string> peers;    ///< that take sessions: online
  std::vector<std::string> leaving;  ///< that serve those they have until others have taken over: draining
};

/// Asks the first of `peers` that answers.  Models by name and digest.  Throws std::runtime_error with a sentence where
/// none answers.
std::vector<seen_model> look_at_swarm(const swarm_options& options, const std::vector<std::string>& peers);

/// Every block of the model, those that no session can be opened for first, each part in the order of the blocks.
std::vector<held_blocks> holders_of(const seen_model& model);

}  // namespace corolla::runtime
