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
  /// `others` are round trips that are known besides, in whatever order: they only help to guess.
  known_ways(const std::vector<const server_record*>& servers, std::vector<double> others);

  /// What the first announces of the second, else the second of the first.
  std::optional<double> measured(size_t from, size_t to) const;
  /// The same, else `assumed`.
  double between(size_t from, size_t to) const { return measured(from, to).value_or(assumed_); }
  /// The median of all that are known; 1 ms where none is.
  double assumed() const { return assumed_; }
  /// No way into this server is shorter.
  double least_into(size_t to) const { return least_[to]; }

 private:
  std::optional<double> announced(size_t by, size_t of) const;

  /// For each server what it announces, by the other's place.
  std::vector<std::vector<std::pair<uint32_t, double>>> announced_;
  std::vector<double> least_;
  double assumed_ = 0;
};

}  // namespace corolla::actors
