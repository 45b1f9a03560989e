#include "runtime/threads.hpp"

#include <sched.h>

#include <algorithm>

namespace corolla::runtime {

uint32_t available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<uint32_t>(std::max(CPU_COUNT(&set), 1));
}

}  // namespace corolla::runtime
