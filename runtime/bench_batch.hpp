// What batching gives: sessions that decode at the same time share one pass over the weights.
#pragma once

#include <vector>

#include "runtime/benches.hpp"

namespace corolla::runtime {

/// `batch`: tokens/s of eight sessions against one, measured at the block actor; rows per pass; and end to end with
/// eight clients.
std::vector<bench_row> bench_batch(const bench_settings& settings);

}  // namespace corolla::runtime
