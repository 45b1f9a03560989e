// How long a route waits for an output before it takes a hop for late.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace corolla::actors::policy {

/// Six times what such steps took lately (a moving average, by the clock of whoever waits, so that the network's share
/// is in it), and a quarter of a second at the least.  Steps of one token are known apart from longer ones, whose time
/// goes by the token.
class step_patience {
 public:
  using duration = std::chrono::nanoseconds;

  static constexpr duration shortest = std::chrono::milliseconds{250};
  static constexpr int factor = 6;

  /// A step of so many tokens took so long from when it, or the one before it, could be waited for.
  void took(uint32_t tokens, duration time) {
    auto& average = tokens <= 1 ? one_ : per_token_;
    const auto value = tokens <= 1 ? time : time / tokens;
    average = average ? *average + (value - *average) / 8 : value;
  }

  /// What a token of a longer step took; nullopt: no such step has been seen.
  std::optional<duration> per_token() const { return per_token_; }

  /// nullopt: no such step has been seen.
  std::optional<duration> of(uint32_t tokens) const {
    const auto& average = tokens <= 1 ? one_ : per_token_;
    if (!average) return std::nullopt;
    return std::max(shortest, *average * factor * std::max(tokens, 1u));
  }

 private:
  std::optional<duration> one_, per_token_;
};

}  // namespace corolla::actors::policy
