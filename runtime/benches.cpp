#include "runtime/benches.hpp"

#include <vector>

#if __has_include("runtime/bench_link.hpp")
#include "runtime/bench_link.hpp"
#endif

namespace corolla::runtime {

std::span<const bench> benches() {
  static const std::vector<bench> list{
#if __has_include("runtime/bench_link.hpp")
    {"link", "round trips and bulk between two processes on this machine", bench_link},
#endif
  };
  return list;
}

}  // namespace corolla::runtime
