// Links without sockets, TLS or threads: the same core and the same driver as a real link, whose bytes travel as
// messages between two actors.  Under caf::test_coordinator everything happens in virtual time, and a test may delay,
// cut, duplicate and shuffle what goes each way.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "actors/wire/link.hpp"

namespace corolla::tests {

/// What happens to what goes one way.  May be changed at any time between two messages.
struct memory_way {
  std::chrono::microseconds delay{0};
  /// Bytes vanish, and so does the news that the sender has ended.
  bool cut = false;
  /// Bytes wait until the way is released: a process that is stopped, or a network that stalls.
  bool held = false;
  /// What the owner at the far end gets in place of a message.  Nobody gets what is left inside.
  std::function<std::vector<actors::wire::incoming>(actors::wire::incoming)> tamper;
  uint64_t bytes = 0;     ///< that the sender gave
  uint64_t messages = 0;  ///< that arrived at the far end's owner, before `tamper`
};

struct memory_end {
  std::shared_ptr<const actors::wire::link_config> config;  ///< without TLS: `self` is believed
  actors::wire::make_owner owner;
  /// Its owner's messages pass an actor of their own, so that it may hear of the link's end before the last of them.
  /// False: no tampering, no count, and everything in order as with a real link.
  bool tamperable = true;
};

struct memory_links {
  actors::wire::link_actor dialler, other;
  std::shared_ptr<memory_way> there;  ///< from the dialler
  std::shared_ptr<memory_way> back;
  /// What was held goes on, in its order, on ways that are held no more.
  std::function<void()> release;
};

/// The links shake hands as soon as they run.
memory_links connect_in_memory(caf::actor_system& system, memory_end dialler, memory_end other);

/// For `memory_way::tamper`: every `n`th message comes twice.
std::function<std::vector<actors::wire::incoming>(actors::wire::incoming)> duplicate_every(uint32_t n);
/// For `memory_way::tamper`: of the steps, one in `n` comes twice, and then behind up to three later messages.  Rows
/// that restore a session come once: they have one way only.
std::function<std::vector<actors::wire::incoming>(actors::wire::incoming)> repeat_steps(uint32_t n, uint32_t seed);
/// For `memory_way::tamper`: holds `window` messages back and gives each time one of them, chosen by `seed`.
std::function<std::vector<actors::wire::incoming>(actors::wire::incoming)> shuffle_within(size_t window, uint32_t seed);

}  // namespace corolla::tests
