#include "runtime/benches.hpp"

#include <vector>

#include "runtime/bench_batch.hpp"
#include "runtime/bench_inference.hpp"
#if __has_include("runtime/bench_link.hpp")
#include "runtime/bench_link.hpp"
#endif

namespace corolla::runtime {

std::span<const bench> benches() {
  static const std::vector<bench> list {
#if __has_include("runtime/bench_link.hpp")
    {"link", "round trips and bulk between two processes on this machine", bench_link},
#endif
        {"inference", "decode tokens/s over three server processes against one process", bench_inference},
        {"prefill", "a prompt of 512 tokens over two servers, chunks flowing against one at a time", bench_prefill},
        {"batch", "eight sessions against one: at the block, and end to end", bench_batch},
  };
  return list;
}

}  // namespace corolla::runtime
