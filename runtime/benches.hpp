// The measurements of `corolla bench`: one line here adds one.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/bench.hpp"

namespace corolla::runtime {

/// What a measurement is told.
struct bench_settings {
  /// Model to measure with, where one is needed.
  std::string model;
  /// Threads that each process computes with.
  uint32_t threads = 1;
  /// `recovery`: every kind of loss at many steps, for the tokens, instead of times.
  bool grid = false;
  /// `chain`: part of its delay by which each piece on a link is late or early, 0 to 1.
  double jitter = 0;
  /// `chain`: decode steps in which no server may be replaced.  `recovery --grid`: at most so many, and so many
  /// chunks, at which servers are struck.
  uint64_t steps = 1000;
  /// `chaos`: how long faults go on.
  double minutes = 2;
  /// The same seed makes the same network, and the same faults.
  uint64_t seed = 1;
};

struct bench {
  std::string_view name;
  std::string_view summary;
  std::vector<bench_row> (*run)(const bench_settings&);
};

/// In the order in which help lists them.
std::span<const bench> benches();

}  // namespace corolla::runtime
