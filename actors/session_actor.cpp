#include "actors/session_actor.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/system_messages.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/alarm.hpp"
#include "actors/policy/output_log.hpp"
#include "actors/policy/step_order.hpp"
#include "actors/spawn.hpp"
#include "actors/wire/limits.hpp"

namespace corolla::actors {
namespace {

// How long the report of a decode step may wait for the next one: half of the shortest time after which a route asks
// which hop is late.
constexpr auto report_pause = std::chrono::milliseconds{125};

// A step from when it was accepted until its output has been sent.
struct accepted_step {
  step request;
  caf::typed_response_promise<taken> answer;
};

struct session_state {
  session_state() = default;
  session_state(const session_state&) = delete;
  session_state& operator=(const session_state&) = delete;
  ~session_state() {
    for (auto& waiting : accepted) waiting.answer.deliver(make_error(errc::unknown_session, "the session has ended"));
    caf::anon_send(config.block, release_atom::value, config.cache);
  }

  session_config config;
  std::optional<policy::step_order> order;
  std::optional<policy::output_log<model::tensor>> log;
  step_sink_actor next;
  std::deque<accepted_step> accepted;
  size_t asked = 0;    // the first so many of `accepted` are at the block
  size_t untaken = 0;  // outputs that the next hop has not taken
  uint64_t steps = 0;
  uint64_t dropped = 0;
  uint32_t position = 0;  // tokens in the cache
  // When the block's next answer, and the next hop's, is overdue.
  alarm::time_point block_due = alarm::never;
  alarm::time_point next_due = alarm::never;
  std::optional<applied> unreported;  // the latest, where the client has not been told
  alarm::time_point report_due{};     // not before
  alarm timer;
  static constexpr const char* name = "session";
};

using session_impl = new_session_actor::extend<caf::reacts_to<tick_atom>>;
using session_pointer = session_impl::stateful_pointer<session_state>;

// -- ending ---------------------------------------------------------------------------------------------------------

void fail(session_pointer self, errc code, const std::string& text) {
  auto& state = self->state;
  self->send(state.config.events, failed_atom::value, session_failed{state.config.id, code, text});
  for (auto& waiting : state.accepted) waiting.answer.deliver(make_error(code, text));
  state.accepted.clear();
  self->quit();
}

void block_failed(session_pointer self, const caf::error& reason) {
  fail(self, code_of(reason), "blocks " + to_string(self->state.config.blocks) + ": " + sentence(reason));
}

std::string next_hop(session_pointer self) {
  auto& config = self->state.config;
  return (config.last_hop ? "the client " : "the next hop ") + config.next.to_string();
}

void next_failed(session_pointer self, uint64_t seq, const caf::error& reason) {
  // Errors of CAF's own say that the actor on the other side is gone, or silent.
  const bool is_gone = reason.category() == caf::atom("system") || reason.category() == caf::atom("exit");
  fail(
      self, is_gone ? errc::link_lost : code_of(reason),
      next_hop(self) + " did not take step " + std::to_string(seq) + ": " + sentence(reason));
}

// -- deadlines ------------------------------------------------------------------------------------------------------

// What is awaited from the block or the next hop has the whole time again, or is not awaited any more.
void restart(session_pointer self, alarm::time_point& due, size_t awaited) {
  auto& state = self->state;
  due = awaited == 0 ? alarm::never : self->clock().now() + state.config.step_timeout;
  state.timer.set(self, due);
}

// Nobody waits for the report of a decode step, whose output says as much: the latest is told from time to time.  A
// step of a prompt is told at once.
void report(session_pointer self, applied event, uint32_t tokens) {
  auto& state = self->state;
  const auto now = self->clock().now();
  if (tokens == 1 && now < state.report_due) {
    state.unreported = event;
    return state.timer.set(self, state.report_due);
  }
  state.unreported.reset();
  if (tokens == 1) state.report_due = now + report_pause;
  self->send(state.config.events, applied_atom::value, event);
}

void tick(session_pointer self) {
  auto& state = self->state;
  const auto now = self->clock().now();
  const auto text = "no answer within " + std::to_string(state.config.step_timeout.count()) + " ms";
  if (now >= state.block_due)
    return fail(self, errc::timed_out, "blocks " + to_string(state.config.blocks) + ": " + text);
  if (now >= state.next_due) return fail(self, errc::timed_out, next_hop(self) + " takes no more steps: " + text);
  state.timer.rang();
  state.timer.set(self, std::min(state.block_due, state.next_due));
  if (auto event = std::exchange(state.unreported, std::nullopt)) report(self, *event, 1);
}

void on_down(session_pointer self, const caf::down_msg& down) {
  auto& state = self->state;
  if (down.source == state.config.events) return self->quit();  // nobody is left to be told
  if (down.source == state.next)
    return fail(self, errc::link_lost, next_hop(self) + " is gone: " + sentence(down.reason));
  if (down.source == state.config.block)
    fail(
        self, errc::compute_failed, "blocks " + to_string(state.config.blocks) + " are gone: " + sentence(down.reason));
}

// -- coming in ------------------------------------------------------------------------------------------------------

uint32_t num_tokens(const step& s) {
  return static_cast<uint32_t>(s.hidden.dim(1));
}

// What is wrong with a step's tensor; an empty text if nothing is.
std::string misfit(const session_config& config, const step& s) {
  const auto& x = s.hidden;
  if (x.type() != model::dtype::float32 && x.type() != model::dtype::bfloat16)
    return "hidden states come as float32 or bfloat16, not as " + std::string{to_string(x.type())};
  if (x.rank() != 3 || x.dim(0) != config.batch || x.dim(1) > config.max_length || x.dim(2) != config.hidden_size)
    return "hidden states of shape " + model::to_string(x.dims()) + ", and the session's is [" +
           std::to_string(config.batch) + ", T, " + std::to_string(config.hidden_size) + "] with T up to " +
           std::to_string(config.max_length);
  const auto& order = s.hypo_ids;
  if (!order.empty() && (order.size() != config.batch || *std::max_element(order.begin(), order.end()) >= config.batch))
    return "hypo_ids do not name the session's " + std::to_string(config.batch) + " rows";
  return {};
}

caf::error refusal(const session_state& state, policy::verdict verdict, const step& s) {
  const auto& order = *state.order;
  const auto name = "step " + std::to_string(s.seq);
  switch (verdict) {
    case policy::verdict::apply:
    case policy::verdict::drop_old:
      break;
    case policy::verdict::stale:
      return make_error(
          errc::stale,
          name + " is of epoch " + std::to_string(s.epoch) + ", and the edge's is " + std::to_string(order.epoch()));
    case policy::verdict::gap:
      return make_error(errc::gap, name + " came, and " + std::to_string(order.last()) + " was the last");
    case policy::verdict::position_mismatch:
      return make_error(
          errc::position_mismatch, name + " is for tokens " + std::to_string(s.position) + " to " +
                                       std::to_string(uint64_t{s.position} + num_tokens(s)) +
                                       " of a session that is at " + std::to_string(order.position()) + " of " +
                                       std::to_string(state.config.max_length));
    case policy::verdict::must_go_alone:
      return make_error(
          errc::protocol_violation, name + " was sent before the one it must wait for was done: done is " +
                                        std::to_string(s.done) + ", and " + std::to_string(order.last()) +
                                        " was the last");
    case policy::verdict::impossible_done:
      return make_error(
          errc::protocol_violation, name + " says that " + std::to_string(s.done) + " is done, and " +
                                        std::to_string(order.last_applied()) + " was sent");
  }
  return {};
}

void ask_block(session_pointer self);

caf::result<taken> take_step(session_pointer self, step& s) {
  auto& state = self->state;
  if (s.from != state.config.upstream) {
    ++state.dropped;
    return make_error(errc::not_yours, "the session takes steps from another peer");
  }
  const bool readable = s.hidden.rank() == 3;
  const policy::step_header header{
      s.epoch, s.seq, s.done, s.position, readable ? num_tokens(s) : 0, !s.hypo_ids.empty()};
  const auto verdict = state.order->judge(header);
  if (verdict == policy::verdict::stale || verdict == policy::verdict::drop_old) ++state.dropped;
  if (verdict == policy::verdict::drop_old) return taken{};
  if (verdict == policy::verdict::stale || verdict == policy::verdict::gap) return refusal(state, verdict, s);
  if (auto text = misfit(state.config, s); !text.empty()) return make_error(errc::bad_tensor, std::move(text));
  if (verdict != policy::verdict::apply) return refusal(state, verdict, s);
  state.order->accept(header);
  state.log->advance(s.done);
  auto promise = self->make_response_promise<taken>();
  state.accepted.push_back({std::move(s), promise});
  ask_block(self);
  return promise;
}

// -- going out ------------------------------------------------------------------------------------------------------

// The rows that the client wants of the last hop's output.
model::tensor cut(const model::tensor& hidden, rows_wanted wanted) {
  const auto tokens = hidden.dim(1);
  switch (wanted) {
    case rows_wanted::none:
      return hidden.slice(1, tokens, tokens);
    case rows_wanted::last:
      return hidden.slice(1, std::max<int64_t>(tokens - 1, 0), tokens);
    case rows_wanted::all:
      break;
  }
  return hidden;
}

// A copy of the first tokens: a slice would keep all of them alive.
model::tensor first_tokens(const model::tensor& hidden, uint32_t tokens) {
  const auto part = hidden.slice(1, 0, tokens);
  const auto bytes = part.bytes();
  return {part.type(), part.dims(), {bytes.begin(), bytes.end()}};
}

void forward(session_pointer self, step output) {
  auto& state = self->state;
  if (state.untaken++ == 0) restart(self, state.next_due, 1);
  const auto seq = output.seq;
  self->request(state.next, caf::infinite, step_atom::value, std::move(output))
      .then(
          [self](const taken&) {
            auto& s = self->state;
            restart(self, s.next_due, --s.untaken);
            ask_block(self);
          },
          [self, seq](const caf::error& reason) { next_failed(self, seq, reason); });
}

// The block has computed the oldest step.
void output_ready(session_pointer self, block_output& output) {
  auto& state = self->state;
  auto done = std::move(state.accepted.front());
  state.accepted.pop_front();
  restart(self, state.block_due, --state.asked);
  state.order->applied();
  ++state.steps;
  auto& s = done.request;
  const auto tokens = static_cast<uint32_t>(output.hidden.dim(1));
  state.position = s.position + tokens;
  s.hidden = state.config.last_hop ? cut(output.hidden, s.wanted) : std::move(output.hidden);
  s.epoch = state.config.epoch;
  s.from = {};
  if (!state.log->append({s.seq, s.position, tokens, s.hypo_ids, s.hidden, s.hidden.bytes().size()})) {
    done.answer.deliver(make_error(errc::no_room, "the output log is full"));
    return fail(self, errc::no_room, "the output log is full");
  }
  report(self, {state.config.id, s.seq, output.micros}, tokens);
  forward(self, std::move(s));
  done.answer.deliver(taken{});
  ask_block(self);
}

// What the block has and what the next hop has not taken stay within the window together: the block is never asked for
// more than can be handed on.
void ask_block(session_pointer self) {
  auto& state = self->state;
  if (!state.next) return;
  while (state.asked < state.accepted.size() && state.asked + state.untaken < wire::limits::untaken_steps) {
    if (state.asked == 0) restart(self, state.block_due, 1);
    auto& s = state.accepted[state.asked++].request;
    block_step work{state.config.cache, s.position, s.hypo_ids, std::move(s.hidden), state.config.wire};
    self->request(state.config.block, caf::infinite, step_atom::value, std::move(work))
        .then(
            // Answers come in the order of requests: the block takes a session's steps one by one.
            [self](block_output& output) { output_ready(self, output); },
            // What the cache holds is no longer known; the route recovers.
            [self](const caf::error& reason) { block_failed(self, reason); });
  }
}

session_status status(const session_state& state) {
  return {state.config.id, state.config.client, state.config.blocks, state.config.epoch, state.order->last_applied(),
          state.steps,     state.position,      state.dropped,       state.log->bytes()};
}

session_impl::behavior_type session(session_pointer self, session_config config) {
  auto& state = self->state;
  state.config = std::move(config);
  state.order.emplace(state.config.epoch, state.config.max_length);
  state.log.emplace(policy::output_log_options{state.config.log_bytes, !state.config.last_hop}, first_tokens);
  self->set_down_handler([self](const caf::down_msg& down) { on_down(self, down); });
  self->monitor(state.config.events);
  self->monitor(state.config.block);
  return {
      [self](step_atom, step& s) { return take_step(self, s); },
      [self](refused_atom, const step_refused& why) {
        fail(self, why.code, next_hop(self) + " refused step " + std::to_string(why.seq) + ": " + why.text);
      },
      [self](close_atom) { self->quit(); },
      [self](tick_atom) { tick(self); },
      [self](status_atom) { return status(self->state); },
      [self](attach_atom, const step_sink_actor& next) {
        self->state.next = next;
        self->monitor(next);
        ask_block(self);
      },
  };
}

}  // namespace

new_session_actor spawn_session(caf::actor_system& system, session_config config) {
  return spawn_stateful(system, session, std::move(config));
}

}  // namespace corolla::actors
