// A generation through a virtual swarm, every output of which is compared with what the blocks give without one.
#pragma once

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <unordered_map>

#include "tests/support/exact_reference.hpp"

namespace corolla::tests {

using namespace corolla::actors;
using namespace std::chrono_literals;

/// What a generation does besides one token after the other, and over what links.
struct course {
  uint32_t batch = 1;
  bool reorders = false;
  bool rolls_back = false;
  std::chrono::microseconds delay{0};
  uint32_t prompt = 17;       // tokens
  uint32_t deep_prompts = 0;  // tokens that have some
};

/// One request of a generation.
struct turn {
  uint32_t tokens = 1;
  std::optional<uint32_t> back_to{};  ///< a position
  std::vector<uint32_t> order{};
};

/// A prompt, and so many tokens after it.
inline std::vector<turn> turns_of(const course& how, uint32_t tokens) {
  std::vector<uint32_t> reversed(how.batch);
  for (uint32_t i = 0; i < how.batch; ++i) reversed[i] = how.batch - 1 - i;
  std::vector<turn> turns{{how.prompt}};
  auto position = how.prompt;
  for (uint32_t step = 1; step <= tokens; ++step) {
    turn next;
    if (how.rolls_back && step % 4 == 3) next.back_to = position -= 5;
    if (how.reorders && step % 2 == 1) next.order = reversed;
    turns.push_back(std::move(next));
    ++position;
  }
  return turns;
}

class generation {
 public:
  generation(virtual_swarm& swarm, uint32_t batch = 1, uint32_t max_length = 64, uint32_t seed = 1)
      : swarm_{swarm}, batch_{batch}, reference_{batch, max_length}, random_{seed} {
    options.blocks = {0, virtual_swarm::num_blocks};
    options.batch = batch;
    options.max_length = max_length;
    options.chunk_tokens = 4;
  }
  ~generation() { close(); }

  route_options options;

  /// Some, for the first so many tokens.
  void give_deep_prompts(uint32_t tokens) {
    std::vector<float> values(size_t{virtual_swarm::num_blocks} * tokens * virtual_swarm::hidden_size);
    for (auto& v : values) v = static_cast<float>(random_() % 97);
    options.deep_prompts =
        model::tensor::of<float>({virtual_swarm::num_blocks, tokens, virtual_swarm::hidden_size}, values);
    reference_.set_prompts(options.deep_prompts);
  }

  answer_ptr<taken> start_to_open() {
    route_ = swarm_.route(options);
    return user_.start<taken>(route_, open_atom::value);
  }
  void open() {
    auto opened = start_to_open();
    swarm_.run_until([&] { return !opened->pending(); });
    BOOST_REQUIRE_MESSAGE(opened->value.has_value(), opened->text());
  }

  /// What opening fails with.
  std::string open_fails() {
    auto opened = start_to_open();
    swarm_.run_until([&] { return !opened->pending(); });
    return opened->text();
  }

  /// T tokens at `position`; `fault` strikes after so many messages.  True if the outputs came and are right.
  bool forward(
      uint32_t tokens, const std::vector<uint32_t>& order = {}, size_t messages = 0,
      const std::function<void()>& fault = {}) {
    start(tokens, order);
    if (fault) {
      swarm_.run(messages);
      fault();
    }
    return finish();
  }
  /// The same in two parts: between them it is under way.
  void start(uint32_t tokens, const std::vector<uint32_t>& order = {}) {
    asked_ = {position, input(tokens), rows_wanted::all, order};
    answer_ = user_.start<forward_reply>(route_, forward_atom::value, asked_);
  }
  bool finish() {
    swarm_.run_until([&] { return !answer_->pending(); });
    if (!answer_->value) {
      failure = answer_->error ? describe(*answer_->error) : "no answer within an hour";
      return false;
    }
    const auto end = position + static_cast<uint32_t>(asked_.hidden.dim(1));
    for (auto begin = position; begin < end; begin += options.chunk_tokens)
      steps_.push_back({begin, std::min(end, begin + options.chunk_tokens)});
    auto wanted = reference_.run(asked_.hidden, position, asked_.hypo_ids);
    position = end;
    if (std::ranges::equal(answer_->value->hidden.as<float>(), wanted.as<float>())) return true;
    failure = "a wrong output";
    return false;
  }
  /// Something that no hop computes.
  answer_ptr<forward_reply> forward_nonsense() {
    auto hidden = input(1);
    std::vector<float> values(hidden.as<float>().size(), std::numeric_limits<float>::quiet_NaN());
    return user_.start<forward_reply>(
        route_, forward_atom::value,
        forward_request{position, model::tensor::of<float>(hidden.dims(), values), rows_wanted::all, {}});
  }
  bool take(const turn& next, size_t messages = 0, const std::function<void()>& fault = {}) {
    if (next.back_to) roll_back(*next.back_to);
    return forward(next.tokens, next.order, messages, fault);
  }
  /// All turns; `fault` strikes so many messages after the one `at` has begun.  What went wrong, or nothing.
  std::string run(const std::vector<turn>& turns, size_t messages, size_t at, const std::function<void()>& fault) {
    for (size_t i = 0; i < turns.size(); ++i)
      if (!take(turns[i], messages, i == at ? fault : nullptr)) return "turn " + std::to_string(i) + ": " + failure;
    return {};
  }

  /// The next step goes back to there.
  void roll_back(uint32_t to) { position = to; }

  route_status status() { return user_.ask<route_status>(route_, status_atom::value)->value.value(); }
  std::vector<session_status> audit() {
    auto answer = user_.start<std::vector<session_status>>(route_, audit_atom::value);
    swarm_.run_until([&] { return !answer->pending(); });
    return answer->value.value();
  }
  /// Steps that the route has sent, of requests that were answered.
  uint64_t sent() const { return steps_.size() - 1; }
  /// What speaks against the counters of the hops; nothing if they are right: each has applied every step since it
  /// began, once, and was restored up to there.  Those that began with the route, or were there the last time that the
  /// counters were looked at, were not restored since, and their epochs have not gone back.
  std::string check_counters() {
    const auto hops = status().hops;
    const auto told = audit();
    std::string wrong;
    for (size_t i = 0; i < told.size(); ++i)
      if (auto why = check_counters(told[i]); !why.empty())
        wrong += "hop " + std::to_string(i) + " at server " + std::to_string(swarm_.server_of(hops[i].peer)) + " " +
                 why + "; ";
    return wrong;
  }

  size_t server_of_hop(size_t index) { return swarm_.server_of(status().hops.at(index).peer); }

  /// What a last hop that lies would send.
  answer_ptr<taken> forge(step output) { return user_.start<taken>(route_, step_atom::value, std::move(output)); }

  void close() {
    if (!route_) return;
    user_.tell(route_, close_atom::value);
    route_ = nullptr;
  }

  uint32_t position = 0;
  std::string failure;

 private:
  /// Where a step began and ended.
  struct stretch {
    uint32_t begin = 0, end = 0;
  };

  std::string check_counters(const session_status& now) {
    if (now.epoch == 0) return "does not answer";
    const auto began = now.last - now.steps;
    if (now.last != sent())
      return "has applied steps up to " + std::to_string(now.last) + " of " + std::to_string(sent());
    // A log that was full keeps no rows of what the next step truncates.
    const auto least = began == sent() ? steps_[began].end : std::min(steps_[began].end, steps_[began + 1].begin);
    if (now.restored != steps_[began].end && now.restored != least)
      return "began after step " + std::to_string(began) + " with " + std::to_string(now.restored) + " tokens of " +
             std::to_string(steps_[began].end);
    if (now.position != position) return "is at " + std::to_string(now.position) + " of " + std::to_string(position);
    auto& before = seen_[now.session];
    const bool was_seen = before.epoch > 0;
    if (was_seen && before.last - before.steps != began) return "has left steps out, or applied some twice";
    if (was_seen && before.restored != now.restored) return "was restored while it lived";
    if (now.epoch < before.epoch) return "has gone back in its epochs";
    if (now.dropped < before.dropped) return "has forgotten what it dropped";
    before = now;
    return {};
  }

  model::tensor input(uint32_t tokens) {
    std::vector<float> values(size_t{batch_} * tokens * virtual_swarm::hidden_size);
    for (auto& v : values) v = static_cast<float>(random_() % 251);
    return model::tensor::of<float>({batch_, tokens, virtual_swarm::hidden_size}, values);
  }

  virtual_swarm& swarm_;
  user user_{swarm_.time()};
  uint32_t batch_;
  exact_reference reference_;
  std::mt19937 random_;
  route_actor route_;
  forward_request asked_;
  answer_ptr<forward_reply> answer_;
  std::vector<stretch> steps_{stretch{}};  // by seq
  std::unordered_map<session_id, session_status> seen_;
};

}  // namespace corolla::tests
