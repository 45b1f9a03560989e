#include "actors/session_actor.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/system_messages.hpp>

#include "actors/session_state.hpp"
#include "actors/spawn.hpp"
#include "actors/wire/limits.hpp"

namespace corolla::actors {

// How long the report of a decode step may wait for the next one: half of the shortest time after which a route asks
// which hop is late.
static constexpr auto report_pause = std::chrono::milliseconds{125};
// Steps that may wait: credit bounds their tensors, and this those that carry none.
static constexpr size_t max_accepted = 1024;

// -- ending ---------------------------------------------------------------------------------------------------------

void fail(session_pointer self, errc code, const std::string& text) {
  auto& state = self->state;
  self->send(state.config.events, failed_atom::value, session_failed{state.config.id, code, text});
  state.answer_all(make_error(code, text));
  self->quit();
}

void block_failed(session_pointer self, const caf::error& reason) {
  fail(self, code_of(reason), "blocks " + to_string(self->state.config.blocks) + ": " + sentence(reason));
}

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

// -- deadlines ------------------------------------------------------------------------------------------------------

void restart(session_pointer self, alarm::time_point& due, size_t awaited) {
  auto& state = self->state;
  due = awaited == 0 ? alarm::never : self->clock().now() + state.config.step_timeout;
  state.timer.set(self, due);
}

namespace {

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
  state.timer.rang();
  if (now >= state.block_due)
    return fail(
        self, errc::timed_out,
        "blocks " + to_string(state.config.blocks) + ": no answer within " +
            std::to_string(state.config.step_timeout.count()) + " ms");
  if (now >= state.next_due) edges::overdue(self);
  state.timer.set(self, std::min(state.block_due, state.next_due));
  if (auto event = std::exchange(state.unreported, std::nullopt)) report(self, *event, 1);
}

void on_down(session_pointer self, const caf::down_msg& down) {
  auto& state = self->state;
  if (down.source == state.config.events) return self->quit();  // nobody is left to be told
  if (edges::down(self, down) || handing::down(self, down)) return;
  if (down.source == state.config.block)
    fail(
        self, errc::compute_failed, "blocks " + to_string(state.config.blocks) + " are gone: " + sentence(down.reason));
}

// -- coming in ------------------------------------------------------------------------------------------------------

uint32_t num_tokens(const step& s) {
  return static_cast<uint32_t>(s.hidden.dim(1));
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
      return make_error(errc::gap, name + " came, and " + std::to_string(order.last()) + " was the last", order.last());
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
                                        std::to_string(order.last()) + " was the last");
  }
  return {};
}

// Rows that this session's block is to compute before its first step.
caf::error judge_restored(const session_state& state, const step& s) {
  const auto name = "rows from " + std::to_string(s.position) + " of " + std::to_string(s.until) + " to restore";
  if (!state.restoring || s.epoch != state.order->epoch() || state.chunk_block != 0)
    return make_error(errc::stale, name + " came, and none are awaited of epoch " + std::to_string(s.epoch));
  if (auto text = misfit(state.config, s); !text.empty()) return make_error(errc::bad_tensor, std::move(text));
  if (s.seq != state.order->last() || s.position != state.restore_begun || num_tokens(s) == 0 || !s.hypo_ids.empty() ||
      uint64_t{s.position} + num_tokens(s) > s.until || s.until > state.config.max_length ||
      (state.restore_until != 0 && s.until != state.restore_until))
    return make_error(errc::protocol_violation, name + " came out of their order");
  return {};
}

caf::error accept_restored(session_state& state, const step& s) {
  if (auto reason = judge_restored(state, s)) return reason;
  state.restore_until = s.until;
  state.restore_begun += num_tokens(s);
  if (state.restore_begun == s.until) state.order->restored(s.until);
  if (state.config.next_restoring) state.out->restore_until(s.until);
  return {};
}

// What a step is answered where it is not to be computed; `old`: it was before.
caf::error accept_next(session_state& state, const step& s, bool& old) {
  const bool readable = s.hidden.rank() == 3;
  const policy::step_header header{
      s.epoch, s.seq, s.done, s.position, readable ? num_tokens(s) : 0, !s.hypo_ids.empty()};
  const auto verdict = state.order->judge(header);
  old = verdict == policy::verdict::drop_old;
  if (verdict == policy::verdict::stale || old) ++state.dropped;
  if (old || verdict == policy::verdict::stale || verdict == policy::verdict::gap) return refusal(state, verdict, s);
  if (auto text = misfit(state.config, s); !text.empty()) return make_error(errc::bad_tensor, std::move(text));
  if (verdict != policy::verdict::apply) return refusal(state, verdict, s);
  if (state.restoring && (state.restore_until == 0 || state.restore_begun != state.restore_until))
    return make_error(
        errc::protocol_violation, "step " + std::to_string(s.seq) + " came before all that restores the session");
  state.order->accept(header);
  state.done = std::max(state.done, s.done);
  state.settle();
  return {};
}

caf::result<taken> take_step(session_pointer self, step& s) {
  auto& state = self->state;
  if (s.from != (s.restores == restored_part::none ? state.config.upstream : state.config.restorer)) {
    ++state.dropped;
    return make_error(errc::not_yours, "the session takes steps from another peer");
  }
  (s.from == state.config.client ? state.client_bytes : state.server_bytes) += s.hidden.bytes().size();
  if (state.awaits_prompts)
    return make_error(errc::protocol_violation, "a step came before the session's deep prompts");
  if (state.accepted.size() >= max_accepted) return make_error(errc::overloaded, "too many steps wait to be computed");
  if (s.restores == restored_part::cache || s.restores == restored_part::outputs) return handing::take_part(self, s);
  bool old = false;
  auto reason = s.restores == restored_part::rows ? accept_restored(state, s) : accept_next(state, s, old);
  if (reason) return reason;
  if (old) return taken{};
  auto promise = self->make_response_promise<taken>();
  state.accepted.push_back({std::move(s), promise});
  ask_block(self);
  return promise;
}

caf::result<taken> take_prompts(session_pointer self, model::tensor& prompts) {
  auto& state = self->state;
  const auto& config = state.config;
  if (!state.awaits_prompts) return make_error(errc::bad_request, "no deep prompts are awaited");
  const model::shape wanted{config.blocks.size(), config.prompt_tokens, config.hidden_size};
  if (prompts.dims() != wanted)
    return make_error(
        errc::bad_tensor, "deep prompts of shape " + model::to_string(prompts.dims()) + ", and the session awaits " +
                              model::to_string(wanted));
  state.awaits_prompts = false;
  return give_block(self, prompts_atom::value, block_prompts{config.cache, std::move(prompts)}, [] {});
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

// True unless the log is full.
bool log_output(session_state& state, step& s, model::tensor hidden, uint32_t micros, session_pointer self) {
  const auto tokens = static_cast<uint32_t>(hidden.dim(1));
  state.position = s.position + tokens;
  if (s.restores == restored_part::rows) {
    state.restored = state.position;
    s.hidden = std::move(hidden);
    return state.config.last_hop || state.log->append_restored(entry_of(s));
  }
  state.order->applied();
  ++state.steps;
  s.hidden = state.config.last_hop ? cut(hidden, s.wanted) : std::move(hidden);
  // What the last hop logs is what was wanted, and still takes the tokens' positions.
  auto entry = entry_of(s);
  entry.tokens = tokens;
  if (!state.log->append(std::move(entry))) return false;
  report(self, {state.config.id, s.seq, micros}, tokens);
  return true;
}

// The block has computed the oldest step.
void output_ready(session_pointer self, block_output& output) {
  auto& state = self->state;
  auto done = std::move(state.accepted.front());
  state.accepted.pop_front();
  restart(self, state.block_due, --state.asked);
  auto& s = done.request;
  if (!log_output(state, s, std::move(output.hidden), output.micros, self)) {
    done.answer.deliver(make_error(errc::no_room, "the output log is full"));
    return fail(self, errc::no_room, "the output log is full");
  }
  if (s.restores == restored_part::rows && state.restored == s.until) restored(self);
  done.answer.deliver(taken{});
  edges::pump(self);
  ask_block(self);
}

}  // namespace

void restored(session_pointer self) {
  auto& state = self->state;
  state.restoring = false;
  self->send(state.config.events, restored_atom::value, session_restored{state.config.id, state.order->epoch()});
}

// What the block has and what the next hop has not taken stay within the window together: the block is never asked for
// more than can be handed on.
void ask_block(session_pointer self) {
  auto& state = self->state;
  while (state.asked < state.accepted.size() &&
         state.asked + state.out->untaken() + state.out->unsent(*state.log) < wire::limits::untaken_steps) {
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

namespace {

session_status status(session_pointer self) {
  auto& state = self->state;
  session_status result;
  result.session = state.config.id;
  result.client = state.config.client;
  result.blocks = state.config.blocks;
  result.epoch = state.order->epoch();
  result.last = state.order->last_applied();
  result.steps = state.steps;
  result.position = state.position;
  result.restored = state.restored;
  result.dropped = state.dropped;
  result.log_bytes = state.log->bytes();
  result.restoring = state.restoring;
  result.client_bytes = state.client_bytes;
  result.server_bytes = state.server_bytes;
  result.age = std::chrono::duration_cast<std::chrono::milliseconds>(self->clock().now() - state.opened);
  return result;
}

void set_up(session_pointer self) {
  auto& state = self->state;
  auto& config = state.config;
  state.opened = self->clock().now();
  state.order.emplace(config.epoch, config.max_length, config.done);
  state.log.emplace(make_sent_log(config.log_bytes, !config.last_hop));
  state.log->begin_after(config.done);
  state.out.emplace(config.next);
  state.out->begin_after(config.done);
  state.restoring = config.restoring;
  state.awaits_prompts = config.prompt_tokens > 0;
  if (config.next_restoring) state.out->restore(config.done, std::nullopt);
}

session_impl::behavior_type session(session_pointer self, session_config config) {
  auto& state = self->state;
  state.config = std::move(config);
  set_up(self);
  self->set_down_handler([self](const caf::down_msg& down) { on_down(self, down); });
  self->monitor(state.config.events);
  self->monitor(state.config.block);
  return {
      [self](step_atom, step& s) { return take_step(self, s); },
      [self](refused_atom, const step_refused& why) {
        if (!handing::refused(self, why)) edges::refused(self, why);
      },
      [self](prompts_atom, model::tensor& prompts) { return take_prompts(self, prompts); },
      [self](accept_atom, const accept_request& request) { return edges::accept(self, request); },
      [self](restore_atom, const restore_request& request) { return edges::restore(self, request); },
      [self](hand_over_atom, const hand_over_request& request) { return handing::begin(self, request); },
      [self](prepare_atom, const edge_target& to) { return edges::prepare(self, to); },
      [self](relink_atom, const relink_request& request) { return edges::relink(self, request); },
      [self](close_atom) { self->quit(); },
      [self](leaving_atom) {
        self->send(self->state.config.events, leaving_atom::value, session_leaving{self->state.config.id});
      },
      [self](tick_atom) { tick(self); },
      [self](status_atom) { return status(self); },
      [self](attach_atom, const edge_actor& edge) { edges::attach_first(self, edge); },
  };
}

}  // namespace

new_session_actor spawn_session(caf::actor_system& system, session_config config) {
  return spawn_stateful(system, session, std::move(config));
}

}  // namespace corolla::actors
