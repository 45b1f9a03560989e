// Resolves names and connects, within a deadline.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "actors/protocol.hpp"

namespace corolla::actors {

/// For the addresses of one name together.
inline constexpr auto dial_time = std::chrono::seconds{5};

/// To be spawned detached, since it waits: `system.spawn<caf::detached>(dialer)`.  One dial at a time.
dialer_actor::behavior_type dialer(dialer_actor::pointer self);
/// The same; a dial is given up soon after `stop` is set.
dialer_actor::behavior_type dialer_until(dialer_actor::pointer self, std::shared_ptr<const std::atomic<bool>> stop);

}  // namespace corolla::actors
