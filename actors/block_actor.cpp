#include "actors/block_actor.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <caf/actor_addr.hpp>
#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/system_messages.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/policy/cache_budget.hpp"
#include "actors/spawn.hpp"
#include "actors/wire/limits.hpp"
#include "model/convert.hpp"

namespace corolla::actors {
namespace {

using run_atom = caf::atom_constant<caf::atom("run")>;

// What the actor tells itself is nobody else's to say.
using block_impl = block_actor::extend<caf::reacts_to<run_atom>, caf::reacts_to<tick_atom>>;

struct job {
  block_step step;
  caf::typed_response_promise<block_output> answer;
};

struct waiter {
  reserve_request request;
  caf::typed_response_promise<uint64_t> answer;
  caf::actor_addr owner;
};

// A session's place in the cache, as far as it is known here.
struct place {
  caf::actor_addr owner;
  model::block_range part;
  uint32_t batch = 0;
  uint32_t max_length = 0;
  uint32_t length = 0;
  bool undefined = false;  // a step failed half-way
};

struct block_state {
  block_state() = default;
  block_state(const block_state&) = delete;
  block_state& operator=(const block_state&) = delete;
  ~block_state() {
    auto gone = make_error(errc::stopping, "the block has ended");
    for (auto& waiting : queue.drop_all()) waiting.answer.deliver(gone);
    for (auto& [ticket, waiting] : waiters) waiting.answer.deliver(gone);
  }

  std::unique_ptr<model::span> span;
  std::shared_ptr<const std::atomic<bool>> stop;
  policy::step_queue<job> queue;
  std::optional<policy::cache_budget> budget;
  std::map<uint64_t, place> places;    // by cache id
  std::map<uint64_t, waiter> waiters;  // by ticket
  uint64_t next_ticket = 0;
  std::set<caf::actor_addr> watched;
  bool run_is_coming = false;
  uint64_t passes = 0;
  uint64_t rows = 0;
  uint64_t steps = 0;
  std::chrono::microseconds busy{0};
  static constexpr const char* name = "block";
};

using block_pointer = block_impl::stateful_pointer<block_state>;

// -- room -----------------------------------------------------------------------------------------------------------

void watch(block_pointer self, const caf::actor_addr& owner) {
  if (owner && self->state.watched.insert(owner).second) self->monitor(owner);
}

// What is wrong with a request whatever room there is.
caf::error check(const block_state& state, const reserve_request& request) {
  namespace limits = wire::limits;
  if (*state.stop) return make_error(errc::stopping, "the block is ending");
  if (const auto held = state.span->blocks(); request.blocks.empty() || !held.contains(request.blocks))
    return make_error(
        errc::blocks_mismatch, "blocks " + to_string(request.blocks) + " are not within " + to_string(held));
  if (request.batch == 0 || request.max_length == 0)
    return make_error(errc::bad_request, "a session needs at least one row and one token");
  if (request.batch > limits::session_batch)
    return make_error(
        errc::too_large, "a batch of " + std::to_string(request.batch) + " rows, and the most is " +
                             std::to_string(limits::session_batch));
  const auto longest = std::min(limits::session_length, state.span->max_positions());
  if (request.max_length > longest)
    return make_error(
        errc::too_large, std::to_string(request.max_length) + " tokens, and the most is " + std::to_string(longest));
  return {};
}

caf::error no_room(const block_state& state, const reserve_request& request) {
  auto text = "the session needs " + std::to_string(state.span->tokens_needed(request.batch, request.max_length)) +
              " tokens of cache, and " + std::to_string(state.span->free_tokens()) + " of " +
              std::to_string(state.span->cache_tokens()) + " are free";
  if (auto before = state.budget->waiting(); before > 0) text += ", with others waiting: " + std::to_string(before);
  return make_error(errc::no_room, std::move(text));
}

caf::result<uint64_t> take_room(block_pointer self, const reserve_request& request, const caf::actor_addr& owner) {
  auto& state = self->state;
  try {
    auto id = state.span->reserve(request.blocks, request.batch, request.max_length);
    if (!id) return no_room(state, request);
    state.places[*id] = {owner, request.blocks, request.batch, request.max_length};
    watch(self, owner);
    return *id;
  } catch (const std::exception& e) {
    return make_error(errc::compute_failed, std::string{"reserving failed: "} + e.what());
  }
}

void let_in(block_pointer self) {
  auto& state = self->state;
  while (auto ticket = state.budget->next(state.span->free_tokens())) {
    auto next = state.waiters.extract(*ticket);
    auto& w = next.mapped();
    auto granted = take_room(self, w.request, w.owner);
    if (granted.flag == caf::rt_value)
      w.answer.deliver(granted.value.get_as<uint64_t>(0));
    else
      w.answer.deliver(std::move(granted.err));
  }
}

caf::result<uint64_t> reserve(block_pointer self, const reserve_request& request) {
  using answer = policy::cache_budget::answer;
  auto& state = self->state;
  if (auto refusal = check(state, request)) return refusal;
  const auto timeout = std::min<std::chrono::milliseconds>(request.timeout, wire::limits::alloc_timeout);
  const auto ticket = state.next_ticket++;
  const auto tokens = state.span->tokens_needed(request.batch, request.max_length);
  const auto owner = caf::actor_cast<caf::actor_addr>(self->current_sender());
  switch (state.budget->ask({ticket, tokens}, state.span->free_tokens(), self->clock().now(), timeout)) {
    case answer::granted:
      return take_room(self, request, owner);
    case answer::never_fits:
    case answer::no_room:
      return no_room(state, request);
    case answer::too_many_waiting:
      return make_error(errc::overloaded, std::to_string(state.budget->waiting()) + " others wait for room already");
    case answer::waits:
      break;
  }
  watch(self, owner);
  auto promise = self->make_response_promise<uint64_t>();
  state.waiters[ticket] = {request, promise, owner};
  self->delayed_send(self, timeout, tick_atom::value);
  return promise;
}

void give_up_waiting(block_pointer self) {
  auto& state = self->state;
  for (auto ticket : state.budget->expired(self->clock().now())) {
    auto late = state.waiters.extract(ticket);
    late.mapped().answer.deliver(no_room(state, late.mapped().request));
  }
  let_in(self);
}

void free_place(block_pointer self, uint64_t cache) {
  auto& state = self->state;
  if (state.places.erase(cache) == 0) return;
  for (auto& dropped : state.queue.drop(cache))
    dropped.answer.deliver(make_error(errc::cancelled, "the session was released"));
  state.span->release(cache);
}

void owner_gone(block_pointer self, const caf::actor_addr& owner) {
  auto& state = self->state;
  state.watched.erase(owner);
  std::vector<uint64_t> caches;
  for (const auto& [id, p] : state.places)
    if (p.owner == owner) caches.push_back(id);
  for (auto id : caches) free_place(self, id);
  for (auto w = state.waiters.begin(); w != state.waiters.end();) {
    if (w->second.owner != owner) {
      ++w;
      continue;
    }
    state.budget->withdraw(w->first);
    w->second.answer.deliver(make_error(errc::cancelled, "whoever waited for room is gone"));
    w = state.waiters.erase(w);
  }
  let_in(self);
}

// From now on the pages are the sender's.
void own(block_pointer self, place& p) {
  p.owner = caf::actor_cast<caf::actor_addr>(self->current_sender());
  watch(self, p.owner);
}

// What `use` makes of the session's place; `what` names what came for it.
template <class Result, class Use>
caf::result<Result> with_place(block_state& state, uint64_t cache, const char* what, Use use) {
  if (*state.stop) return make_error(errc::stopping, "the block is ending");
  auto found = state.places.find(cache);
  if (found == state.places.end()) return make_error(errc::unknown_session, "the session has no place in the cache");
  try {
    return use(found->second);
  } catch (const std::exception& e) {
    return make_error(errc::bad_tensor, std::string{what} + ": " + e.what());
  }
}

caf::result<model::tensor> read_cache(block_state& state, const cache_read& what) {
  return with_place<model::tensor>(state, what.cache, "keys and values", [&](place&) {
    return state.span->read_cache(what.cache, what.block, what.position, what.tokens);
  });
}

caf::result<taken> write_cache(block_pointer self, const cache_write& what) {
  auto& state = self->state;
  return with_place<taken>(state, what.cache, "keys and values", [&](place& p) {
    state.span->write_cache(what.cache, what.block, what.position, what.rows);
    if (what.block + 1 == p.part.end) p.length = what.position + static_cast<uint32_t>(what.rows.dim(1));
    own(self, p);
    return taken{};
  });
}

caf::result<taken> set_prompts(block_pointer self, const block_prompts& given) {
  return with_place<taken>(self->state, given.cache, "deep prompts", [&](place& p) -> caf::result<taken> {
    if (!model::all_finite(given.prompts)) return make_error(errc::not_finite, "a deep prompt is not a finite number");
    self->state.span->set_prompts(given.cache, given.prompts);
    own(self, p);
    return taken{};
  });
}

// -- passes ---------------------------------------------------------------------------------------------------------

// The tensor alone, before it is queued.
caf::error check_tensor(const block_state& state, const place& p, const block_step& step) {
  const auto& x = step.hidden;
  if (!model::is_float(x.type()) || !model::is_float(step.output))
    return make_error(errc::bad_tensor, "hidden states are floats, not " + std::string{to_string(x.type())});
  if (x.rank() != 3 || x.dim(0) != p.batch || x.dim(2) != state.span->hidden_size() || x.dim(1) > p.max_length)
    return make_error(
        errc::bad_tensor, "hidden states of shape " + model::to_string(x.dims()) + ", and the session's is [" +
                              std::to_string(p.batch) + ", T, " + std::to_string(state.span->hidden_size()) +
                              "] with T up to " + std::to_string(p.max_length));
  const auto& order = step.hypo_ids;
  if (!order.empty() && (order.size() != p.batch || *std::max_element(order.begin(), order.end()) >= p.batch))
    return make_error(errc::bad_tensor, "hypo_ids do not name the session's " + std::to_string(p.batch) + " rows");
  if (!model::all_finite(x)) return make_error(errc::not_finite, "a hidden state is not a finite number");
  return {};
}

// What depends on the steps before it, when its turn has come.
caf::error check_turn(const place& p, const block_step& step) {
  if (p.undefined) return make_error(errc::compute_failed, "an earlier step of the session failed");
  const auto end = uint64_t{step.position} + static_cast<uint64_t>(step.hidden.dim(1));
  if (step.position > p.length || end > p.max_length)
    return make_error(
        errc::position_mismatch, "tokens " + std::to_string(step.position) + " to " + std::to_string(end) +
                                     " of a session that is at " + std::to_string(p.length) + " of " +
                                     std::to_string(p.max_length));
  return {};
}

uint32_t rows_of(const block_step& step) {
  return static_cast<uint32_t>(step.hidden.dim(0) * step.hidden.dim(1));
}

void run_soon(block_pointer self) {
  if (self->state.run_is_coming || self->state.queue.empty()) return;
  // Behind everything that has arrived by now: it may join the pass.
  self->state.run_is_coming = true;
  self->send(self, run_atom::value);
}

caf::result<block_output> take_step(block_pointer self, block_step& step) {
  auto& state = self->state;
  return with_place<block_output>(state, step.cache, "a step", [&](place& p) -> caf::result<block_output> {
    if (auto refusal = check_tensor(state, p, step)) return refusal;
    own(self, p);
    auto promise = self->make_response_promise<block_output>();
    policy::waiting_step waiting{step.cache, {p.part.begin, p.part.end}, rows_of(step)};
    state.queue.push(waiting, {std::move(step), promise});
    run_soon(self);
    return promise;
  });
}

// Takes out, and answers, what cannot run any more.
std::vector<job> admit(block_pointer self, std::vector<job> jobs) {
  std::erase_if(jobs, [self](job& j) {
    const auto refusal = check_turn(self->state.places.at(j.step.cache), j.step);
    if (refusal) j.answer.deliver(refusal);
    return bool{refusal};
  });
  return jobs;
}

// One result for each step; an exception is the failure of them all.
std::vector<model::span_result> compute(block_state& state, const std::vector<job>& jobs) {
  std::vector<model::span_step> steps;
  for (const auto& j : jobs)
    steps.push_back({j.step.cache, j.step.position, j.step.hidden, j.step.hypo_ids, j.step.output});
  std::string failure;
  try {
    auto results = state.span->run(steps, *state.stop);
    if (results.size() == jobs.size()) return results;
    failure = "another number of results than of steps";
  } catch (const std::exception& e) {
    failure = e.what();
  }
  return std::vector<model::span_result>(jobs.size(), {{}, failure.empty() ? "unknown" : failure});
}

void answer(block_state& state, job& j, model::span_result& result, uint32_t micros, uint32_t rows) {
  auto& p = state.places.at(j.step.cache);
  if (result.ok()) {
    p.length = j.step.position + static_cast<uint32_t>(j.step.hidden.dim(1));
    j.answer.deliver(block_output{std::move(result.hidden), micros, rows});
    return;
  }
  p.undefined = true;
  if (*state.stop)
    j.answer.deliver(make_error(errc::stopping, "the block is ending"));
  else
    j.answer.deliver(make_error(errc::compute_failed, "blocks " + to_string(p.part) + " failed: " + result.error));
}

void run_pass(block_pointer self) {
  auto& state = self->state;
  state.run_is_coming = false;
  auto jobs = admit(self, state.queue.next_pass());
  if (!jobs.empty()) {
    uint32_t rows = 0;
    for (const auto& j : jobs) rows += rows_of(j.step);
    const auto start = self->clock().now();
    auto results = compute(state, jobs);
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(self->clock().now() - start).count();
    ++state.passes;
    state.busy += std::chrono::microseconds{micros};
    state.rows += rows;
    state.steps += jobs.size();
    for (size_t i = 0; i < jobs.size(); ++i) answer(state, jobs[i], results[i], static_cast<uint32_t>(micros), rows);
  }
  run_soon(self);
}

block_status status(const block_state& state) {
  const auto& span = *state.span;
  const auto places = static_cast<uint32_t>(state.places.size()), waiters = static_cast<uint32_t>(state.waiters.size());
  return {span.blocks(), span.cache_tokens(), span.free_tokens(), places,    waiters,
          state.passes,  state.rows,          state.steps,        state.busy};
}

block_impl::behavior_type block(
    block_pointer self, std::unique_ptr<model::span> span, std::shared_ptr<const std::atomic<bool>> stop,
    block_options options) {
  auto& state = self->state;
  state.budget.emplace(span->cache_tokens(), options.max_waiting);
  state.span = std::move(span);
  state.stop = std::move(stop);
  state.queue = policy::step_queue<job>{options.queue};
  self->set_down_handler([self](caf::down_msg& down) { owner_gone(self, down.source); });
  return {
      [self](reserve_atom, const reserve_request& request) { return reserve(self, request); },
      [self](release_atom, uint64_t cache) {
        free_place(self, cache);
        let_in(self);
      },
      [self](step_atom, block_step& step) { return take_step(self, step); },
      [self](read_atom, const cache_read& wanted) { return read_cache(self->state, wanted); },
      [self](write_atom, const cache_write& given) { return write_cache(self, given); },
      [self](prompts_atom, const block_prompts& given) { return set_prompts(self, given); },
      [self](status_atom) { return status(self->state); },
      [self](run_atom) { run_pass(self); },
      [self](tick_atom) { give_up_waiting(self); },
  };
}

}  // namespace

block_actor spawn_block(
    caf::actor_system& system, std::unique_ptr<model::span> span, std::shared_ptr<const std::atomic<bool>> stop,
    block_options options) {
  if (options.detached) return spawn_stateful<caf::detached>(system, block, std::move(span), std::move(stop), options);
  return spawn_stateful(system, block, std::move(span), std::move(stop), options);
}

}  // namespace corolla::actors
