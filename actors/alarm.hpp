// One timer for deadlines that are moved far more often than they are missed.
#pragma once

#include <algorithm>
#include <chrono>

#include <caf/actor_clock.hpp>

#include "actors/protocol.hpp"

namespace corolla::actors {

/// Every timeout given to CAF wakes its clock's thread, and stays there until it has passed; what is awaited with every
/// step keeps a time instead, and one tick_atom under way for the earliest of them.  The actor answers a tick with
/// `rang`, looks at its times, and sets the alarm for those that are left.
class alarm {
 public:
  using time_point = caf::actor_clock::time_point;
  static constexpr time_point never = time_point::max();

  /// A tick comes at `at` or sooner.
  template <class Self>
  void set(Self self, time_point at) {
    if (at >= armed_) return;
    armed_ = at;
    self->delayed_send(self, std::max(at - self->clock().now(), time_point::duration{0}), tick_atom::value);
  }

  void rang() { armed_ = never; }

 private:
  time_point armed_ = never;
};

}  // namespace corolla::actors
