// Two processes and a socket between them, for measurements.
#pragma once

#include <functional>
#include <utility>

namespace corolla::runtime {

/// Two connected loopback TCP sockets.  Throws std::runtime_error.
std::pair<int, int> connected_pair(bool blocking);

/// A process that does `work` and exits.  To be called before this process has threads.  Throws std::runtime_error.
int fork_into(const std::function<void()>& work);

}  // namespace corolla::runtime
