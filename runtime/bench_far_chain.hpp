// What distance costs a chain of servers.
#pragma once

#include <vector>

#include "runtime/benches.hpp"

namespace corolla::runtime {

/// `chain`: three server processes, every link with a delay of 25 ms each way: decode steps/s against the bound
/// 1 / (compute + 4 x 25 ms), where compute is what the servers report and what one process takes beside its blocks;
/// and servers that were replaced without need in `settings.steps` steps of eight generations at a time.
std::vector<bench_row> bench_far_chain(const bench_settings& settings);

}  // namespace corolla::runtime
