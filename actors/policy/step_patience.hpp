// How long a route waits for an output before it takes a hop for late.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace corolla::actors::policy {

/// Six times what such steps took lately (a moving average, by the clock of whoever waits, so that the network's share
/// is in it), and a quarter of a second at the least.  Steps of one token are known apart from longer ones, whose time
/// goes by the token; until one has been seen, it may take as long as a longer one.
class step_patience {
 public:
  using duration = std::chrono::nanoseconds;

  static constexpr duration shortest = std::chrono::milliseconds{250};
  static constexpr int factor = 6;

  /// A step of so many tokens took so long from when it, or the one before it, could be waited for.
  void took(uint32_t tokens, duration time) {
    if (tokens <= 1) return add(one_, time);
    add(longer_, time);
    add(per_token_, time / tokens);
  }

  /// What a token of a longer step took; nullopt: no such step has been seen.
  std::optional<duration> per_token() const { return per_token_; }

  /// nullopt: no step has been seen that tells.
  std::optional<duration> of(uint32_t tokens) const {
    if (tokens > 1) return per_token_ ? std::optional{std::max(shortest, *per_token_ * factor * tokens)} : std::nullopt;
    const auto& known = one_ ? one_ : longer_;
    return known ? std::optional{std::max(shortest, *known * factor)} : std::nullopt;
  }

 private:
  static void add(std::optional<duration>& average, duration value) {
    average = average ? *average + (value - *average) / 8 : value;
  }

  std::optional<duration> one_, longer_, per_token_;
};

}  // namespace corolla::actors::policy
