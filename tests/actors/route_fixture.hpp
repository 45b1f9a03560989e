// A generation through a virtual swarm, every output of which is compared with what the blocks give without one.
#pragma once

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <random>

#include "tests/support/virtual_swarm.hpp"

namespace corolla::tests {

using namespace corolla::actors;
using namespace std::chrono_literals;

/// What a generation does besides one token after the other, and over what links.
struct course {
  uint32_t batch = 1;
  bool reorders = false;
  bool rolls_back = false;
  std::chrono::microseconds delay{0};
};

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
    auto hidden = input(tokens);
    auto answer = user_.start<forward_reply>(
        route_, forward_atom::value, forward_request{position, hidden, rows_wanted::all, order});
    if (fault) {
      swarm_.run(messages);
      fault();
    }
    swarm_.run_until([&] { return !answer->pending(); });
    if (!answer->value) {
      failure = answer->error ? describe(*answer->error) : "no answer within an hour";
      return false;
    }
    auto wanted = reference_.run(hidden, position, order);
    position += tokens;
    if (std::ranges::equal(answer->value->hidden.as<float>(), wanted.as<float>())) return true;
    failure = "a wrong output";
    return false;
  }
  /// A prompt and then tokens; `fault` strikes so many messages after step `at` has begun.  What went wrong, or
  /// nothing.
  std::string run(
      const course& how, uint32_t steps, size_t messages, uint32_t at, const std::function<void()>& fault,
      const std::function<void(uint32_t)>& after_step = {}) {
    std::vector<uint32_t> reversed(how.batch);
    for (uint32_t i = 0; i < how.batch; ++i) reversed[i] = how.batch - 1 - i;
    for (uint32_t step = 0; step < steps; ++step) {
      if (how.rolls_back && step == 3) roll_back(position - 5);
      const auto order = how.reorders && step % 2 == 1 ? reversed : std::vector<uint32_t>{};
      if (!forward(step == 0 ? 17 : 1, order, messages, step == at ? fault : nullptr))
        return "step " + std::to_string(step) + ": " + failure;
      if (after_step) after_step(step);
    }
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
};

}  // namespace corolla::tests
