// Resolves names and connects, within a deadline.
#pragma once

#include <chrono>
#include <memory>

#include "actors/protocol.hpp"
#include "actors/wire/socket.hpp"

namespace corolla::actors {

/// For the addresses of one name together.
inline constexpr auto dial_time = std::chrono::seconds{5};

/// To be spawned detached, since it waits: `system.spawn<caf::detached>(dialer, stop)`.  One dial at a time, which is
/// given up when `stop` is raised.
dialer_actor::behavior_type dialer(dialer_actor::pointer self, std::shared_ptr<const wire::interrupt> stop);

}  // namespace corolla::actors
