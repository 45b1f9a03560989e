// How long a route takes to plan in a large swarm: 1,000 servers, 100 blocks.
#pragma once

#include <vector>

#include "runtime/benches.hpp"

namespace corolla::runtime {

/// A row for each kind of swarm; the same random swarms each time.
std::vector<bench_row> bench_plan(const bench_settings& settings);

}  // namespace corolla::runtime
