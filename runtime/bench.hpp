// What `corolla bench NAME` measures: rows that people and scripts read.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace corolla::runtime {

struct bench_row {
  std::string row;   ///< what was measured
  double value = 0;  ///< median, in `unit`
  std::string unit;
  std::optional<double> limit;  ///< what it must hold
  std::optional<double> ratio;  ///< against what it is compared with in the same run
  size_t samples = 0;
};

}  // namespace corolla::runtime
