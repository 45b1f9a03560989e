// What a value was lately.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace corolla::actors::policy {

/// The median of the latest 64 values.
class recent_median {
 public:
  void add(uint32_t value) {
    values_.push_back(value);
    if (values_.size() > 64) values_.pop_front();
  }

  /// 0 where there is none; the upper one of two in the middle.
  uint32_t get() const {
    if (values_.empty()) return 0;
    std::vector<uint32_t> sorted{values_.begin(), values_.end()};
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return *middle;
  }

 private:
  std::deque<uint32_t> values_;
};

}  // namespace corolla::actors::policy
