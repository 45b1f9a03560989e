// How a command ends other than well.
#pragma once

#include <stdexcept>

namespace corolla::runtime {

/// Exit statuses, which scripts rely on.
inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;

/// What was asked for makes no sense: one sentence that says what would.
struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace corolla::runtime
