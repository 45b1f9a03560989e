#include "runtime/benches.hpp"

#include "runtime/bench_batch.hpp"
#include "runtime/bench_chaos.hpp"
#include "runtime/bench_far_chain.hpp"
#include "runtime/bench_inference.hpp"
#include "runtime/bench_link.hpp"
#include "runtime/bench_plan.hpp"
#include "runtime/bench_recovery.hpp"

namespace corolla::runtime {

std::span<const bench> benches() {
  static constexpr bench list[] = {
      {"link", "round trips and bulk between two processes on this machine", bench_link},
      {"inference", "decode tokens/s over three server processes against one process", bench_inference},
      {"prefill", "a prompt of 512 tokens over two servers, chunks flowing against one at a time", bench_prefill},
      {"batch", "eight sessions against one: at the block, and end to end", bench_batch},
      {"plan", "a route through 1,000 servers of 100 blocks, in several kinds of swarm", bench_plan},
      {"recovery", "from kill -9 of the middle server of three to the next token, at three positions", bench_recovery},
      {"chain", "decode steps/s over three servers with 25 ms each way on every link, against the chain's bound",
       bench_far_chain},
      {"chaos",
       "eight clients and five servers that die, stop, leave, join and lose their network, against golden texts",
       bench_chaos},
  };
  return list;
}

}  // namespace corolla::runtime
