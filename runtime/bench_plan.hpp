// How long a route takes to plan in a large swarm: 1,000 servers, 100 blocks.
#pragma once

#include <vector>

#include "runtime/benches.hpp"

namespace corolla::runtime {

/// A row for each kind of swarm, and one from records; the same random swarms each time.  In processor time: a plan
/// runs in one thread and waits for nothing, and what else the machine does is not to be in it.
std::vector<bench_row> bench_plan(const bench_settings& settings);

}  // namespace corolla::runtime
