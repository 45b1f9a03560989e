// Who gets room in the cache, and who waits for it.  Strictly first come, first served: were small sessions let past, a
// large one might wait for ever.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace corolla::actors::policy {

/// The line before a cache of `capacity` tokens.  The cache itself knows what is free and is asked each time: one
/// truth.
class cache_budget {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  enum class answer : uint8_t {
    granted,
    waits,
    /// Larger than the whole cache.
    never_fits,
    /// Not now, and the request does not wait.
    no_room,
    /// The line is full.
    too_many_waiting,
  };

  struct request {
    uint64_t ticket = 0;  ///< the caller's name for it
    uint64_t tokens = 0;
  };

  explicit cache_budget(uint64_t capacity, size_t max_waiting = 256) : capacity_(capacity), max_waiting_(max_waiting) {}

  /// Decides on a newcomer; `wait` is how long it would wait from `now` on.
  answer ask(request newcomer, uint64_t free, time_point now, time_point::duration wait);

  /// Takes the first in line out if it fits.  To be called until it says nullopt, whenever room came free or the line
  /// moved.
  std::optional<uint64_t> next(uint64_t free);

  /// Takes out everyone whose time is over.
  std::vector<uint64_t> expired(time_point now);

  /// Takes out one that went away; false if it was not in line.
  bool withdraw(uint64_t ticket);

  size_t waiting() const { return line_.size(); }

 private:
  struct place {
    request who;
    time_point deadline;
  };

  uint64_t capacity_;
  size_t max_waiting_;
  std::deque<place> line_;
};

}  // namespace corolla::actors::policy
