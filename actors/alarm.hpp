// One timer for deadlines that are moved far more often than they are missed.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include <caf/actor_clock.hpp>

#include "actors/protocol.hpp"

namespace corolla::actors {

/// Every timeout given to CAF wakes its clock's thread, and stays there until it has passed; what is awaited with every
/// step keeps a time instead, and ticks (tick_atom) are under way for the earliest of them.  The actor answers each
/// tick with `rang`, looks at its times, and sets the alarm for those that are left: at most one tick is under way for
/// each kind of time that it sets, whatever comes between.
class alarm {
 public:
  using time_point = caf::actor_clock::time_point;
  static constexpr time_point never = time_point::max();

  /// A tick comes at `at` or sooner.
  template <class Self>
  void set(Self self, time_point at) {
    if (at == never || (!under_way_.empty() && under_way_.back() <= at)) return;
    under_way_.push_back(at);
    self->delayed_send(self, std::max(at - self->clock().now(), time_point::duration{0}), tick_atom::value);
  }

  /// The earliest tick has come.
  void rang() { under_way_.pop_back(); }

 private:
  std::vector<time_point> under_way_;  // the earliest is the last
};

}  // namespace corolla::actors
