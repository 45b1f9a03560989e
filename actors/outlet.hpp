// What a hop has sent, and the ways by which it goes on to the next: the log is the queue that they send from.
#pragma once

#include <cstdint>
#include <optional>

#include "actors/policy/output_log.hpp"
#include "actors/session_protocol.hpp"

namespace corolla::actors {

/// The output of one step, or what a route gave its first hop.
struct sent_rows {
  model::tensor hidden;  ///< [B, T, C]; at the last hop only the rows that were wanted
  rows_wanted wanted = rows_wanted::last;
};
using sent_log = policy::output_log<sent_rows>;

/// `room` in bytes; `keep_done` is false at the last hop.
sent_log make_sent_log(uint64_t room, bool keep_done);
/// The entry of a step whose rows are `s.hidden`.
sent_log::entry entry_of(const step& s);

/// Positions [begin, end) of the state after step `done`, [B, end - begin, C], in the order that the batch has then;
/// nullopt where they are kept no more.
std::optional<model::tensor> rows_after(const sent_log& log, uint64_t done, uint32_t begin, uint32_t end);

/// One way out of a hop.  It gives steps out of the log, oldest first, at most `limits::untaken_steps` of them untaken;
/// rows that are to be restored come before.  No I/O: whoever owns it sends what `next` gives, and says what became of
/// it.
class outlet {
 public:
  explicit outlet(edge_target to) : to_{to} {}

  const edge_target& to() const { return to_; }
  /// Null while the way is not there, or is lost.
  edge_actor edge;

  /// Steps go this way from `last + 1` on, once all that is to be restored has gone.
  void begin_after(uint64_t last) { next_seq_ = last + 1; }
  /// The state after step `done` goes first, which has so many tokens; unknown: as many as `restore_until` will say.
  void restore(uint64_t done, std::optional<uint32_t> until);
  void restore_until(uint32_t until);

  /// What is to be sent now, if anything may.
  std::optional<step> next(const sent_log& log);
  /// The oldest untaken one was taken.
  void taken() { --untaken_; }
  /// Its receiver has applied `last`, and misses what comes after.  False: so it said before, and has not moved.
  [[nodiscard]] bool rewind(uint64_t last);
  uint32_t untaken() const { return untaken_; }
  /// Highest seq that went this way, or need not: the log must keep what comes after it.
  uint64_t sent() const { return next_seq_ == 0 ? 0 : next_seq_ - 1; }
  /// Steps of the log that have not gone this way.
  uint64_t unsent(const sent_log& log) const { return log.last() + 1 - std::min(next_seq_, log.last() + 1); }

 private:
  struct restoring {
    uint64_t done = 0;
    std::optional<uint32_t> until;
    uint32_t sent = 0;  // tokens
  };

  std::optional<step> next_rows(const sent_log& log);

  edge_target to_;
  uint64_t next_seq_ = 0;  // 0: steps go another way
  std::optional<restoring> restoring_;
  uint32_t untaken_ = 0;
  uint64_t rewound_to_ = 0;  // next_seq_ of the latest rewinding
};

}  // namespace corolla::actors
