#include "runtime/bench_batch.hpp"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/block_actor.hpp"
#include "actors/spawn.hpp"
#include "model/span.hpp"
#include "runtime/bench_swarm.hpp"
#include "runtime/caf_defaults.hpp"

namespace corolla::runtime {
namespace {

using namespace actors;
using std::chrono::steady_clock;

constexpr uint32_t steps_each = 48;
constexpr uint32_t sessions_at_once = 8;
constexpr size_t rounds = 5;
constexpr auto patience = std::chrono::minutes{5};

/// DRIVER: decodes in so many sessions at once; answers with the seconds that it took.
using driver_actor = caf::typed_actor<caf::replies_to<generate_atom, uint32_t>::with<double>>;

struct driver_state {
  driver_state() = default;
  block_actor block;
  model::block_range blocks;
  model::tensor hidden;
  steady_clock::time_point begun;
  uint32_t running = 0;
  caf::typed_response_promise<double> answer;
  static constexpr const char* name = "driver";
};
using driver_pointer = driver_actor::stateful_pointer<driver_state>;

void decode(driver_pointer self, uint64_t cache, uint32_t position) {
  auto& state = self->state;
  auto failed = [self](caf::error& reason) { self->state.answer.deliver(std::move(reason)); };
  if (position == steps_each) {
    self->send(state.block, release_atom::value, cache);
    if (--state.running == 0)
      state.answer.deliver(std::chrono::duration<double>(steady_clock::now() - state.begun).count());
    return;
  }
  self->request(
          state.block, patience, step_atom::value, block_step{cache, position, {}, state.hidden, model::dtype::float32})
      .then([self, cache, position](const block_output&) { decode(self, cache, position + 1); }, failed);
}

void begin(driver_pointer self) {
  auto failed = [self](caf::error& reason) { self->state.answer.deliver(std::move(reason)); };
  self->request(
          self->state.block, patience, reserve_atom::value,
          reserve_request{self->state.blocks, 1, steps_each, patience})
      .then([self](uint64_t cache) { decode(self, cache, 0); }, failed);
}

driver_actor::behavior_type driver(
    driver_pointer self, block_actor block, model::block_range blocks, int64_t hidden_size) {
  self->state.block = std::move(block);
  self->state.blocks = blocks;
  std::vector<float> values(static_cast<size_t>(hidden_size), 0.01f);
  self->state.hidden = model::tensor::of<float>({1, 1, hidden_size}, values);
  return {[self](generate_atom, uint32_t sessions) -> caf::result<double> {
    auto& state = self->state;
    state.running = sessions;
    state.begun = steady_clock::now();
    state.answer = self->make_response_promise<double>();
    for (uint32_t i = 0; i < sessions; ++i) begin(self);
    return state.answer;
  }};
}

struct system_config : caf::actor_system_config {
  system_config() { set_caf_defaults(*this); }
};

template <class Result, class Actor, class... Arguments>
Result ask(caf::scoped_actor& self, const Actor& whom, Arguments&&... arguments) {
  Result result{};
  self->request(whom, patience, std::forward<Arguments>(arguments)...)
      .receive(
          [&](Result& answer) { result = std::move(answer); },
          [](caf::error& reason) { throw std::runtime_error(describe(reason)); });
  return result;
}

std::vector<bench_row> at_the_block(const bench_settings& settings) {
  auto source = model::checkpoint::open(settings.model);
  auto span = model::span::load(*source, {0, model::num_blocks(*source)}, {});
  auto hidden_size = span->hidden_size();
  auto blocks = span->blocks();
  system_config config;
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  auto block = spawn_block(system, std::move(span), std::make_shared<std::atomic<bool>>(false));
  auto work = spawn_stateful(system, driver, block, blocks, hidden_size);
  ask<double>(self, work, generate_atom::value, sessions_at_once);  // warm
  std::vector<double> one, many, rows;
  for (size_t round = 0; round < rounds; ++round) {
    one.push_back(steps_each / ask<double>(self, work, generate_atom::value, uint32_t{1}));
    auto before = ask<block_status>(self, block, status_atom::value);
    many.push_back(steps_each * sessions_at_once / ask<double>(self, work, generate_atom::value, sessions_at_once));
    auto after = ask<block_status>(self, block, status_atom::value);
    rows.push_back(static_cast<double>(after.rows - before.rows) / static_cast<double>(after.passes - before.passes));
  }
  self->send_exit(work, caf::exit_reason::user_shutdown);
  self->send_exit(block, caf::exit_reason::user_shutdown);
  auto alone = median(one), together = median(many);
  return {
      {"one session, at the block", alone, "tokens/s", {}, {}, rounds},
      {"eight sessions, at the block", together, "tokens/s", {}, together / alone, rounds},
      {"eight sessions / one session, at the block", together / alone, "ratio", 2.5, together / alone, rounds},
      {"rows per pass with eight sessions", median(rows), "rows", {}, {}, rounds}};
}

double clients_at_once(client& swarm, const model::generation_request& request, uint32_t count) {
  auto begun = steady_clock::now();
  std::vector<std::future<generated>> all;
  for (uint32_t i = 0; i < count; ++i)
    all.push_back(std::async(std::launch::async, [&] { return swarm.generate(request); }));
  for (auto& one : all) one.get();
  return count * request.max_new_tokens / std::chrono::duration<double>(steady_clock::now() - begun).count();
}

std::vector<bench_row> end_to_end(const bench_settings& settings) {
  bench_node_options options;
  options.model = settings.model;
  options.blocks = {0, model::num_blocks(*model::checkpoint::open(settings.model))};
  options.threads = settings.threads;
  bench_node node{options};
  client_options how;
  how.model = settings.model;
  how.threads = settings.threads;
  how.peers = {node.address()};
  auto swarm = client::make(how);
  auto request = bench_request(bench_prompt(settings.model, 8), steps_each);
  clients_at_once(*swarm, request, 1);  // warm
  std::vector<double> one, many;
  for (size_t round = 0; round < rounds; ++round) {
    one.push_back(clients_at_once(*swarm, request, 1));
    many.push_back(clients_at_once(*swarm, request, sessions_at_once));
  }
  auto alone = median(one), together = median(many);
  return {
      {"one generation, end to end", alone, "tokens/s", {}, {}, rounds},
      {"eight generations at once, end to end", together, "tokens/s", {}, together / alone, rounds}};
}

}  // namespace

std::vector<bench_row> bench_batch(const bench_settings& settings) {
  if (settings.model.empty()) throw std::runtime_error("this measurement needs --model");
  model::set_compute_threads(settings.threads);
  auto rows = at_the_block(settings);
  for (auto& row : end_to_end(settings)) rows.push_back(row);
  return rows;
}

}  // namespace corolla::runtime
