#include "actors/policy/step_order.hpp"

#include <cassert>

namespace corolla::actors::policy {

verdict step_order::judge(const step_header& step) const {
  if (step.epoch != epoch_) return verdict::stale;
  if (step.seq <= last_) return verdict::drop_old;
  if (step.seq - last_ > 1) return verdict::gap;
  // A substitute may still have to compute what the client had from the hop before it, so `done` may be ahead of
  // `last_applied_`.
  if (step.done > last_) return verdict::impossible_done;
  if (step.position > position_ || uint64_t{step.position} + step.tokens > max_length_)
    return verdict::position_mismatch;
  if (goes_alone(step) && step.done != last_) return verdict::must_go_alone;
  if (step.done < last_alone_) return verdict::must_go_alone;
  return verdict::apply;
}

void step_order::accept(const step_header& step) {
  assert(judge(step) == verdict::apply);
  if (goes_alone(step)) last_alone_ = step.seq;
  last_ = step.seq;
  position_ = step.position + step.tokens;
}

void step_order::applied() {
  assert(last_applied_ < last_);
  ++last_applied_;
}

bool step_order::goes_alone(const step_header& step) const {
  return step.reorders || step.tokens == 0 || step.position < position_;
}

}  // namespace corolla::actors::policy
