// Resolves names and connects, within a deadline.  Blocks the thread it runs in: spawned detached in a node.
#pragma once

#include <chrono>

#include "actors/protocol.hpp"

namespace corolla::actors {

/// For the addresses of one name together.
inline constexpr auto dial_time = std::chrono::seconds{5};

/// To be spawned: `system.spawn<caf::detached>(dialer)`.
dialer_actor::behavior_type dialer(dialer_actor::pointer self);

}  // namespace corolla::actors
