// How much of one process's speed is left when the same model runs as a chain of servers.
#pragma once

#include <vector>

#include "runtime/benches.hpp"

namespace corolla::runtime {

/// `inference`: decode tokens/s over three server processes against the same model in this process.  Each
/// process is pinned to one processor, neighbours on the route to different ones where there are two; rounds alternate,
/// and the ratio is the median of theirs.
std::vector<bench_row> bench_inference(const bench_settings& settings);

/// `prefill`: a prompt of 512 tokens over two servers with a processor each, chunks flowing against one chunk at a
/// time.
std::vector<bench_row> bench_prefill(const bench_settings& settings);

}  // namespace corolla::runtime
