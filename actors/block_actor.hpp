// The block actor: a span of blocks, and the thread that computes.  Steps of several sessions that wait at the same
// time run as one pass over the weights.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include <caf/fwd.hpp>

#include "actors/policy/step_queue.hpp"
#include "actors/protocol.hpp"
#include "model/span.hpp"

namespace corolla::actors {

struct block_options {
  policy::step_queue_options queue;
  /// Reservations that may wait for room.
  size_t max_waiting = 256;
  /// On a thread of its own, as computing blocks it; tests in virtual time do without.
  bool detached = true;
};

/// `stop` is looked at between blocks: once true, passes end and every step fails with errc::stopping.
///
/// Pages belong to whoever reserved them, and from its first step on to whoever sends their steps: when the owner ends,
/// they are freed.
block_actor spawn_block(
    caf::actor_system& system, std::unique_ptr<model::span> span, std::shared_ptr<const std::atomic<bool>> stop,
    block_options options = {});

}  // namespace corolla::actors
