// What a hop has sent, kept so that the state of the hop after it can be rebuilt: upstream backup.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace corolla::actors::policy {

/// Row i takes the place of what row order[i] was; empty: all stay.
using row_order = std::vector<uint32_t>;

/// One reordering by `first` and then another by `second`, as one.
row_order compose(const row_order& first, const row_order& second);

struct output_log_options {
  /// Bytes reserved for the log: batch x max_length x bytes of one row of one token.
  uint64_t room = 0;
  /// False at the last hop, whose outputs nobody needs once the client has them.
  bool keep_done = true;
};

/// The log of one session over `Rows`, a handle to the output of one step, [B, T, C].
///
/// Steps up to `done`, whose outputs the client has, are settled: they form a stack that covers positions [0, P) once,
/// so what they truncated is gone.  Later steps are open: they are kept whole, since the state after `done` must stay
/// readable.
///
/// Room runs short only when a step truncates and then appends more than is free (such a step goes alone, so nothing
/// else is open).  What it truncates goes at once then: a restore ends where that step begins, and the step itself
/// follows.
template <class Rows>
class output_log {
 public:
  struct entry {
    uint64_t seq = 0;
    uint32_t position = 0;
    uint32_t tokens = 0;
    row_order order;  ///< reorders all rows before this step's
    Rows rows;
    uint64_t bytes = 0;  ///< of `rows`
  };

  /// A stretch of restored rows: the first `tokens` of `rows`, with the batch in `order`.
  struct piece {
    const Rows* rows;
    uint32_t position;
    uint32_t tokens;
    row_order order;
  };

  /// `first_tokens(rows, n)` copies the first n tokens of rows, so that the rest can be freed.
  using cut = std::function<Rows(const Rows&, uint32_t)>;

  output_log(output_log_options options, cut first_tokens)
      : options_(options), first_tokens_(std::move(first_tokens)) {}

  /// Adds a step's output; false, and no change, if it is beyond the room.  Steps come in the order of their seq.
  [[nodiscard]] bool append(entry e) {
    assert(e.seq == last() + 1);
    if (bytes_ + e.bytes > options_.room && open_.empty()) truncate(e.position);
    if (bytes_ + e.bytes > options_.room) return false;
    bytes_ += e.bytes;
    last_ = e.seq;
    open_.push_back(std::move(e));
    return true;
  }

  /// The log of a substitute begins after step `last`.
  void begin_after(uint64_t last) { last_ = done_ = last; }

  /// Adds rows that a substitute computed again, of steps up to where it begins; false, and no change, if they are
  /// beyond the room.  They come in the order of their positions, and have no order of their own.
  [[nodiscard]] bool append_restored(entry e) {
    if (bytes_ + e.bytes > options_.room) return false;
    bytes_ += e.bytes;
    settled_.push_back(std::move(e));
    return true;
  }

  /// The client has all outputs up to `done`.
  void advance(uint64_t done) {
    for (; !open_.empty() && open_.front().seq <= done; open_.pop_front()) settle(std::move(open_.front()));
    done_ = std::max(done_, done);
  }

  /// The rows of all positions after step `done`, from position 0 on, in the order that the batch has then; nullopt for
  /// a `done` before one already told, or where settled rows are not kept.  Valid until the log changes.
  std::optional<std::vector<piece>> restore(uint64_t done) const {
    if (done < done_ || !options_.keep_done) return std::nullopt;
    std::vector<piece> result;
    auto end = std::numeric_limits<uint32_t>::max();  // positions from here on are covered by newer steps, or truncated
    row_order order;
    auto look_at = [&](const entry& e) {
      auto shown = std::min(e.position + e.tokens, end);
      if (shown > e.position) result.push_back({&e.rows, e.position, shown - e.position, order});
      end = std::min(end, e.position);
      order = compose(e.order, order);
    };
    for (auto e = open_.rbegin(); e != open_.rend(); ++e)
      if (e->seq <= done) look_at(*e);
    for (auto e = settled_.rbegin(); e != settled_.rend(); ++e) look_at(*e);
    std::reverse(result.begin(), result.end());
    return result;
  }

  /// Steps above `done`, oldest first: what is sent again.
  const std::deque<entry>& open() const { return open_; }
  /// The step of this seq, if it is open.  Valid until the log changes.
  const entry* find(uint64_t seq) const {
    if (open_.empty() || seq < open_.front().seq || seq > open_.back().seq) return nullptr;
    return &open_[seq - open_.front().seq];
  }
  uint64_t bytes() const { return bytes_; }
  uint64_t last() const { return last_; }
  uint64_t done() const { return done_; }
  size_t entries() const { return settled_.size() + open_.size(); }

 private:
  void settle(entry e) {
    if (!options_.keep_done) {
      bytes_ -= e.bytes;
      return;
    }
    truncate(e.position);
    if (!settled_.empty() && settled_.back().tokens == 0) {
      e.order = compose(settled_.back().order, e.order);
      settled_.pop_back();
    }
    settled_.push_back(std::move(e));
  }

  // Frees settled rows from `position` on.  Their orders go on to apply to what is below: they stay as an entry without
  // rows.
  void truncate(uint32_t position) {
    row_order order;
    while (!settled_.empty() && settled_.back().position + settled_.back().tokens > position) {
      auto& top = settled_.back();
      if (top.position < position) {
        shorten(top, position - top.position);
        break;
      }
      order = compose(top.order, order);
      bytes_ -= top.bytes;
      settled_.pop_back();
    }
    if (!order.empty()) push_order(position, std::move(order));
  }

  void shorten(entry& e, uint32_t tokens) {
    auto bytes = e.bytes / e.tokens * tokens;
    e.rows = first_tokens_(e.rows, tokens);
    bytes_ -= e.bytes - bytes;
    e.bytes = bytes;
    e.tokens = tokens;
  }

  void push_order(uint32_t position, row_order order) {
    entry e;
    e.seq = settled_.empty() ? 0 : settled_.back().seq;
    e.position = position;
    e.order = std::move(order);
    settled_.push_back(std::move(e));
  }

  output_log_options options_;
  cut first_tokens_;
  std::vector<entry> settled_;
  std::deque<entry> open_;
  uint64_t bytes_ = 0;
  uint64_t last_ = 0;
  uint64_t done_ = 0;
};

}  // namespace corolla::actors::policy
