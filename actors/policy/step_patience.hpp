// How long a route waits for an output before it takes a hop for late.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace corolla::actors::policy {

/// Six times what such steps took lately (a moving average, by the clock of whoever waits, so that the network's share
/// is in it), and a quarter of a second at the least.  Steps of one token are known apart from longer ones, whose time
/// goes by the token; until one has been seen, it may take as long as a longer one.  Before any was seen it goes by
/// what was expected, with a second at the least.
class step_patience {
 public:
  using duration = std::chrono::nanoseconds;

  static constexpr duration shortest = std::chrono::milliseconds{250};
  static constexpr duration shortest_unseen = std::chrono::seconds{1};
  static constexpr int factor = 6;

  /// A step of so many tokens took so long from when it, or the one before it, could be waited for.
  void took(uint32_t tokens, duration time) {
    if (tokens <= 1) return add(one_, time);
    add(longer_, time);
    add(per_token_, time / tokens);
  }

  /// What steps are estimated to take: one of a token, and each further token of a longer one.
  void expect(duration one, duration per_token) {
    expected_one_ = one;
    expected_per_token_ = per_token;
  }

  /// What a token of a longer step took; nullopt: no such step has been seen.
  std::optional<duration> per_token() const { return per_token_; }

  /// nullopt: no step has been seen that tells, and nothing was expected.
  std::optional<duration> of(uint32_t tokens) const {
    if (tokens > 1) return per_token_ ? std::max(shortest, *per_token_ * factor * tokens) : unseen(tokens);
    const auto& known = one_ ? one_ : longer_;
    return known ? std::max(shortest, *known * factor) : unseen(tokens);
  }

 private:
  std::optional<duration> unseen(uint32_t tokens) const {
    if (!expected_one_) return std::nullopt;
    const auto further = tokens > 1 ? tokens - 1 : 0;
    return std::max(shortest_unseen, (*expected_one_ + expected_per_token_ * further) * factor);
  }

  static void add(std::optional<duration>& average, duration value) {
    average = average ? *average + (value - *average) / 8 : value;
  }

  std::optional<duration> one_, longer_, per_token_, expected_one_;
  duration expected_per_token_{0};
};

}  // namespace corolla::actors::policy
