// When a peer is taken for dead: anything that was read counts as life; after a third of the silence it is asked.
#pragma once

#include <algorithm>
#include <chrono>

namespace corolla::actors::wire {

class liveness {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  enum class verdict { alive, ask, dead };

  liveness(std::chrono::nanoseconds silence, time_point now) : silence_{silence}, read_{now} {}

  void heard(time_point now) {
    read_ = now;
    asked_ = false;
  }
  /// `ask` comes once for a silence.
  verdict judge(time_point now) {
    if (now >= read_ + silence_) return verdict::dead;
    if (asked_ || now < read_ + silence_ / 3) return verdict::alive;
    asked_ = true;
    return verdict::ask;
  }
  /// When `judge` may say something new.
  time_point next() const { return read_ + (asked_ ? silence_ : silence_ / 3); }

 private:
  std::chrono::nanoseconds silence_;
  time_point read_;
  bool asked_ = false;
};

/// How many frames a peer may make us look at: `rate` a second, on average over `span`.
class frame_budget {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  frame_budget(double rate, std::chrono::seconds span, time_point now)
      : rate_{rate}, most_{rate * static_cast<double>(span.count())}, left_{most_}, at_{now} {}

  [[nodiscard]] bool spend(time_point now) {
    left_ = std::min(most_, left_ + rate_ * std::chrono::duration<double>(now - at_).count());
    at_ = now;
    left_ -= 1;
    return left_ >= 0;
  }

 private:
  double rate_, most_, left_;
  time_point at_;
};

}  // namespace corolla::actors::wire
