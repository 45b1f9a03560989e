// Round trips between servers, as their records announce them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "actors/protocol.hpp"

namespace corolla::actors {

/// Servers are named by their place in the list given.  Times are in seconds.
class known_ways {
 public:
  /// `others` are round trips that are known besides, in whatever order: they only help to guess.  `step_bytes` is what
  /// each step carries from one server to the next.
  known_ways(const std::vector<const server_record*>& servers, std::vector<double> others, double step_bytes = 0);

  /// The round trip that the first announces of the second, else the second of the first, and twice what a step's bytes
  /// take where the second has said how fast they come.
  std::optional<double> measured(size_t from, size_t to) const;
  /// The same, else `assumed`.
  double between(size_t from, size_t to) const { return measured(from, to).value_or(assumed_); }
  /// The median of all that are known; 1 ms where none is.
  double assumed() const { return assumed_; }
  /// No way into this server is shorter.
  double least_into(size_t to) const { return least_[to]; }

 private:
  struct announcement {
    uint32_t of = 0;  // the other's place
    double round_trip = 0;
    double transfer = 0;  // of a step that comes from there
  };
  const announcement* announced(size_t by, size_t of) const;

  std::vector<std::vector<announcement>> announced_;  // by each server
  std::vector<double> least_;
  double assumed_ = 0;
};

}  // namespace corolla::actors
