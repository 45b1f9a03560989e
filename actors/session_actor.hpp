// The session actor: one client's place in one span of blocks.  It keeps the order of steps, hands outputs to the next
// hop, keeps a log of them, and restores a substitute out of that (the protocol of recovery is in ARCHITECTURE.md).
#pragma once

#include <chrono>
#include <cstdint>

#include <caf/fwd.hpp>

#include "actors/protocol.hpp"

namespace corolla::actors {

struct session_config {
  session_id id;
  peer_id client;
  peer_id upstream;             ///< who sends steps
  edge_target next;             ///< where outputs go first
  uint64_t epoch = 1;           ///< of the edge that steps come by
  uint64_t done = 0;            ///< the step after which the session begins
  bool restoring = false;       ///< it is restored before the first step
  peer_id restorer;             ///< by whom: `upstream`, with rows, or the hop that leaves
  bool next_restoring = false;  ///< and so does the next hop, out of what this one computes
  uint32_t prompt_tokens = 0;   ///< of deep prompts, which come before the first step; 0: none
  model::block_range blocks;
  uint32_t batch = 1;
  uint32_t max_length = 0;
  model::dtype wire = model::dtype::float32;  ///< of outputs
  int64_t hidden_size = 0;
  bool last_hop = false;     ///< outputs go to the client
  uint64_t cache = 0;        ///< reserved at `block`; the session releases it when it ends
  uint64_t cache_bytes = 0;  ///< keys and values of a token in one block
  block_actor block;
  connector_actor connector;  ///< finds the peers of later edges
  session_events_actor events;
  uint64_t log_bytes = 0;  ///< room of the output log: batch x max_length x hidden_size x bytes of one
  /// Without an answer of the block, or of the next hop, where one is awaited.
  std::chrono::milliseconds step_timeout{60'000};
};

/// A session that is still to be given its first edge; until then steps wait.
using new_session_actor = session_actor::extend<caf::reacts_to<attach_atom, edge_actor>>;

new_session_actor spawn_session(caf::actor_system& system, session_config config);

}  // namespace corolla::actors
