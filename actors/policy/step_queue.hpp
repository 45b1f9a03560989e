// Which of the waiting steps run together: one pass over a span's weights serves a step of every session that fits into
// it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

namespace corolla::actors::policy {

struct step_queue_options {
  /// Rows (B x T of all its steps) of one pass.  A single step with more runs by itself.
  uint32_t pass_rows = 256;
  /// Steps with at most so many rows are small: decoding, where somebody waits for each token.
  uint32_t small_rows = 16;
};

/// What is to be known of a waiting step.
struct waiting_step {
  uint64_t session = 0;
  std::pair<uint32_t, uint32_t> part;  ///< of the span: steps of different parts cannot share a pass
  uint32_t rows = 0;
};

/// Sessions wait in one of two lines, by the size of their oldest step, and have one step served at a time.  The lines
/// lead a pass in turn, so neither starves the other: a session with k others before it in its line waits for at most
/// 2k + 1 passes before its own.  What still fits joins the leader, small steps first, since they add next to nothing.
template <class Payload>
class step_queue {
 public:
  explicit step_queue(step_queue_options options = {}) : options_(options) {}

  void push(const waiting_step& step, Payload payload) {
    auto& steps = sessions_[step.session];
    steps.push_back({step, std::move(payload)});
    ++size_;
    if (steps.size() == 1) line_of(step).push_back(step.session);
  }

  /// The steps of the next pass; empty if none waits.
  std::vector<Payload> next_pass() {
    std::vector<uint64_t> chosen;
    if (auto* leading = next_leader()) {
      small_led_ = leading == &small_;
      auto leader = leading->front();
      const auto part = oldest(leader).part;
      auto room = options_.pass_rows - std::min(options_.pass_rows, oldest(leader).rows);
      chosen.push_back(leader);
      join(small_, part, room, chosen);
      join(large_, part, room, chosen);
    }
    std::vector<Payload> result;
    for (auto session : chosen) result.push_back(take(session));
    return result;
  }

  /// Removes all steps of a session that has ended.
  std::vector<Payload> drop(uint64_t session) {
    std::vector<Payload> result;
    auto found = sessions_.find(session);
    if (found == sessions_.end()) return result;
    std::erase(line_of(oldest(session)), session);
    for (auto& waiting : found->second) result.push_back(std::move(waiting.payload));
    size_ -= result.size();
    sessions_.erase(found);
    return result;
  }
  std::vector<Payload> drop_all() {
    std::vector<Payload> result;
    while (!sessions_.empty())
      for (auto& payload : drop(sessions_.begin()->first)) result.push_back(std::move(payload));
    return result;
  }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

 private:
  struct entry {
    waiting_step step;
    Payload payload;
  };
  using line = std::deque<uint64_t>;  // sessions, least recently served first

  const waiting_step& oldest(uint64_t session) const { return sessions_.at(session).front().step; }
  line& line_of(const waiting_step& step) { return step.rows <= options_.small_rows ? small_ : large_; }

  line* next_leader() {
    auto& first = small_led_ ? large_ : small_;
    auto& second = small_led_ ? small_ : large_;
    return !first.empty() ? &first : !second.empty() ? &second : nullptr;
  }

  void join(const line& from, std::pair<uint32_t, uint32_t> part, uint32_t& room, std::vector<uint64_t>& chosen) const {
    for (auto session : from) {
      const auto& step = oldest(session);
      if (session == chosen.front() || step.part != part || step.rows > room) continue;
      room -= step.rows;
      chosen.push_back(session);
    }
  }

  // Serves the session's oldest step; the next one, if any, goes to the back of its line.
  Payload take(uint64_t session) {
    auto& steps = sessions_.at(session);
    std::erase(line_of(steps.front().step), session);
    auto payload = std::move(steps.front().payload);
    steps.pop_front();
    --size_;
    if (steps.empty())
      sessions_.erase(session);
    else
      line_of(steps.front().step).push_back(session);
    return payload;
  }

  step_queue_options options_;
  std::map<uint64_t, std::deque<entry>> sessions_;
  line small_;
  line large_;
  bool small_led_ = false;
  size_t size_ = 0;
};

}  // namespace corolla::actors::policy
