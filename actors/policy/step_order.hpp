// Whether a session applies a step, and where: `seq` decides the one, `position` the other.
#pragma once

#include <cstdint>

namespace corolla::actors::policy {

/// What a step says of itself.
struct step_header {
  uint64_t epoch = 0;
  uint64_t seq = 0;
  uint64_t done = 0;      ///< highest seq whose output the client claims to have in full
  uint32_t position = 0;  ///< where its tokens go
  uint32_t tokens = 0;    ///< T; 0 only truncates
  bool reorders = false;  ///< carries hypo_ids
};

enum class verdict : uint8_t {
  /// The next one: to be applied.
  apply,
  /// Accepted before: to be dropped unread.
  drop_old,
  /// From another edge than the one now in force.
  stale,
  /// A step is missing before it; the sender sends again from `last() + 1`.
  gap,
  /// Begins beyond the session's position, or ends beyond its length.
  position_mismatch,
  /// Reorders, truncates or adds nothing while others are under way, or follows such a step too early.
  must_go_alone,
  /// `done` names a step that this session has not seen.
  impossible_done,
};

/// The order of one session's steps.  Accepting and applying are apart because prompts arrive faster than they are
/// computed.
class step_order {
 public:
  /// `last`: the step after which the session begins; more than 0 for a substitute.
  step_order(uint64_t epoch, uint32_t max_length, uint64_t last = 0)
      : epoch_(epoch), max_length_(max_length), last_(last), last_applied_(last) {}

  verdict judge(const step_header& step) const;
  /// Counts a step in.  Pre: judge(step) == verdict::apply.
  void accept(const step_header& step);
  /// The cache holds, or will hold before the next step, what it held after step `last()`: so many tokens.
  void restored(uint32_t position) { position_ = position; }
  /// From now on the edge of `epoch` is in force, and every older one is stale.  Pre: epoch is above this one.
  void enter(uint64_t epoch) { epoch_ = epoch; }
  /// The oldest accepted step that was not applied yet has been computed and its output sent.
  void applied();

  uint64_t epoch() const { return epoch_; }
  /// Highest seq accepted, and the position after it.
  uint64_t last() const { return last_; }
  uint32_t position() const { return position_; }
  /// The latest accepted step that went alone: what was before it, the cache holds no more.
  uint64_t last_alone() const { return last_alone_; }
  /// Highest seq applied.
  uint64_t last_applied() const { return last_applied_; }

 private:
  bool goes_alone(const step_header& step) const;

  uint64_t epoch_;
  uint32_t max_length_;
  uint64_t last_ = 0;
  uint64_t last_applied_ = 0;
  uint64_t last_alone_ = 0;  // seq of the latest step that went alone
  uint32_t position_ = 0;
};

}  // namespace corolla::actors::policy
