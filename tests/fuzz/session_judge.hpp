// What a session must give for what it took: the same steps through blocks of the judge's own, with the state after
// each of them, so that a row that is lost, doubled, reordered or misplaced shows wherever it goes.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "actors/session_actor.hpp"
#include "tests/actors/session_ends.hpp"
#include "tests/fuzz/require.hpp"
#include "tests/support/fake_span.hpp"
#include "tests/support/virtual_time.hpp"

namespace corolla::tests {

class session_judge {
 public:
  explicit session_judge(const session_config& config)
      : config_{config},
        blocks_{config.blocks, hidden_size, cache_tokens, std::make_shared<fake_span::controls>()},
        cache_{blocks_.reserve(config.blocks, config.batch, config.max_length).value()},
        last_{config.done},
        is_restored_{!config.restoring} {
    states_[last_].resize(config.batch);
  }

  // Whatever is sent, in its order.
  void sent(step s, answer_ptr<taken> answer) { unjudged_.push_back({std::move(s), {}, std::move(answer)}); }
  void sent_prompts(model::tensor prompts, answer_ptr<taken> answer) {
    unjudged_.push_back({{}, std::move(prompts), std::move(answer)});
  }

  /// Follows what has been answered by now.  Of a session that is over it is not known which of two steps of one number
  /// was the one that was taken and failed, and which was dropped.
  void follow(bool is_over) {
    for (; !unjudged_.empty() && !unjudged_.front().answer->pending(); unjudged_.pop_front()) {
      auto& next = unjudged_.front();
      REQUIRE(!(next.answer->value && next.answer->error));
      if (!next.answer->value) continue;
      if (next.prompts)
        take_prompts(*next.prompts);
      else if (next.what.restores != restored_part::none)
        take_restored(next.what);
      else if (next.what.seq > last_ && (!is_over || fits(next.what)))
        take(next.what);
    }
  }
  bool is_all_answered() const { return unjudged_.empty(); }
  uint64_t last() const { return last_; }
  /// Tokens after that, once what restores the session is complete.
  uint32_t position() const { return position_; }
  uint64_t restored_steps() const { return restored_steps_; }

  /// The next hop, or a substitute, got this.
  void check_output(const step& s) const {
    if (s.restores == restored_part::cache) return;
    if (s.restores != restored_part::none) return check_rows(s);
    const auto expected = outputs_.find(s.seq);
    REQUIRE(expected != outputs_.end());
    REQUIRE(s.position == expected->second.position && s.hypo_ids == expected->second.hypo_ids);
    REQUIRE(s.wanted == expected->second.wanted && s.done < s.seq);
    REQUIRE(s.hidden.type() == config_.wire && s.hidden.dims() == expected->second.hidden.dims());
    REQUIRE(numbers(s.hidden) == numbers(expected->second.hidden));
  }

 private:
  using row = std::vector<float>;
  using state = std::vector<std::vector<row>>;  // outputs of each token of each text

  struct unjudged {
    step what;
    std::optional<model::tensor> prompts;
    answer_ptr<taken> answer;
  };

  void take_prompts(const model::tensor& prompts) {
    REQUIRE(config_.prompt_tokens > 0 && !std::exchange(has_prompts_, true));
    REQUIRE((prompts.dims() == model::shape{config_.blocks.size(), config_.prompt_tokens, hidden_size}));
    blocks_.set_prompts(cache_, prompts);
  }

  static uint32_t tokens_of(const step& s) { return static_cast<uint32_t>(s.hidden.dim(1)); }
  bool goes_alone(const step& s) const { return s.position < position_ || tokens_of(s) == 0 || !s.hypo_ids.empty(); }
  bool fits(const step& s) const {
    if (s.hidden.rank() != 3 || s.hidden.dim(0) != config_.batch || s.hidden.dim(2) != hidden_size) return false;
    if (!model::all_finite(s.hidden)) return false;
    for (const auto text : s.hypo_ids)
      if (text >= config_.batch || s.hypo_ids.size() != config_.batch) return false;
    return may_begin() && is_restored_ && s.seq == last_ + 1 && s.done <= last_ && s.done >= last_alone_ &&
           s.position <= position_ && s.position + tokens_of(s) <= config_.max_length &&
           (!goes_alone(s) || s.done == last_);
  }

  void take(const step& s) {
    REQUIRE(fits(s));
    if (goes_alone(s)) last_alone_ = s.seq;
    auto after = states_.at(last_);
    if (!s.hypo_ids.empty())
      for (size_t i = 0; i < after.size(); ++i) after[i] = states_.at(last_).at(s.hypo_ids[i]);
    last_ = s.seq;
    position_ = s.position + tokens_of(s);
    auto output = s;
    output.hidden = run(s);
    append(after, s.position, output.hidden);
    states_[last_] = std::move(after);
    if (config_.last_hop) output.hidden = wanted(output.hidden, s.wanted);
    outputs_[last_] = std::move(output);
  }

  void take_restored(const step& s) {
    REQUIRE(may_begin() && config_.restoring && s.seq == config_.done && last_ == config_.done && s.hypo_ids.empty());
    const auto end = s.position + s.hidden.dim(1);
    REQUIRE(end <= s.until && s.until <= config_.max_length);
    const bool ends_chunk =
        s.restores != restored_part::cache || (config_.last_hop && s.block + 1 == config_.blocks.end);
    if (ends_chunk && end == s.until) {
      position_ = s.until;
      is_restored_ = true;
    }
    if (s.restores == restored_part::cache) return blocks_.write_cache(cache_, s.block, s.position, s.hidden);
    restored_steps_ += s.restores == restored_part::rows ? 1 : 0;
    append(states_.at(last_), s.position, s.restores == restored_part::rows ? run(s) : s.hidden);
  }

  bool may_begin() const { return config_.prompt_tokens == 0 || has_prompts_; }

  model::tensor run(const step& s) {
    model::span_step work;
    work.cache = cache_;
    work.position = s.position;
    work.hypo_ids = s.hypo_ids;
    work.hidden = s.hidden;
    work.output = config_.wire;
    const std::atomic<bool> never{false};
    auto results = blocks_.run({&work, 1}, never);
    REQUIRE(results.at(0).ok());
    return results[0].hidden;
  }

  static model::tensor wanted(const model::tensor& all, rows_wanted which) {
    const auto end = all.dim(1);
    if (which == rows_wanted::all || end == 0) return all;
    return which == rows_wanted::last ? all.slice(1, end - 1, end) : all.slice(1, 0, 0);
  }

  void append(state& to, uint32_t position, const model::tensor& hidden) const {
    const auto values = numbers(hidden);
    auto next = values.begin();
    for (auto& text : to) {
      text.resize(position);
      for (int64_t t = 0; t < hidden.dim(1); ++t, next += hidden_size) text.emplace_back(next, next + hidden_size);
    }
  }

  void check_rows(const step& s) const {
    const auto found = states_.find(s.seq);
    REQUIRE(found != states_.end() && s.seq == s.done);
    const auto tokens = static_cast<size_t>(s.hidden.dim(1));
    REQUIRE(tokens > 0 && s.position + tokens <= s.until && s.until <= config_.max_length);
    REQUIRE(s.hidden.dim(0) == config_.batch && s.hidden.dim(2) == hidden_size);
    const auto values = numbers(s.hidden);
    auto next = values.begin();
    for (const auto& text : found->second) {
      REQUIRE(s.position + tokens <= text.size());
      for (auto t = s.position; t < s.position + tokens; ++t, next += hidden_size)
        REQUIRE(std::equal(text[t].begin(), text[t].end(), next));
    }
  }

  const session_config config_;
  fake_span blocks_;
  model::cache_id cache_;
  std::deque<unjudged> unjudged_;
  bool has_prompts_ = false;
  uint64_t last_;
  bool is_restored_;
  uint32_t position_ = 0;
  uint64_t last_alone_ = 0;
  uint64_t restored_steps_ = 0;
  std::map<uint64_t, state> states_;  // after each step
  std::map<uint64_t, step> outputs_;
};

}  // namespace corolla::tests
