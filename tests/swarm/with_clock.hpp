// A process whose wall clock is wrong.
#pragma once

#include <chrono>
#include <string>

#include "tests/support/process.hpp"

namespace corolla::tests {

/// So much ahead of this process's clock, or behind it where negative (shifted_clock.cpp, which the test must have
/// built).
inline process_options with_clock(std::chrono::seconds ahead) {
  return {
      {"LD_PRELOAD=" COROLLA_BINARY_DIR "/tests/shifted_clock.so",
       "SHIFTED_CLOCK_SECONDS=" + std::to_string(ahead.count()),
       // The sanitizers of a build that has them object to what is loaded before them.
       "ASAN_OPTIONS=verify_asan_link_order=0"},
      {},
      {}};
}

}  // namespace corolla::tests
