#include "actors/route_actor.hpp"

#include <limits>
#include <utility>

#include <caf/actor_system.hpp>

#include "actors/route_mending.hpp"
#include "actors/spawn.hpp"
#include "actors/wire/limits.hpp"

namespace corolla::actors {

namespace limits = wire::limits;

static constexpr size_t trace_length = 4096;
/// How long a step may take whose like has not been seen.
static constexpr auto first_patience = std::chrono::seconds{10};

void fail(route_pointer self, caf::error reason) {
  auto& state = self->state;
  if (state.now == phase::failed) return;
  auto was = state.now;
  state.now = phase::failed;
  state.failure = reason;
  route_mending::close_all(self);
  if (was == phase::opening) state.opening.deliver(reason);
  state.deadline = alarm::never;
  if (state.forward) {
    state.forward.reset();
    state.answer.deliver(std::move(reason));
  }
}

namespace {

// -- steps ----------------------------------------------------------------------------------------------------------

/// While something is restored from it, no hop may let go of what came after the step that is restored.
uint64_t told_done(const route_state& state) {
  return state.mend ? state.mend->done : state.done;
}

/// The next step truncates or reorders.
bool is_next_alone(const route_state& state) {
  return state.forward->is_alone() && state.sent + 1 == state.forward->first_seq();
}

/// A step that truncates or reorders goes when all before it is settled, and the one after it when it is itself: no hop
/// takes them with a lower `done`.  What is done may be settled later: outputs of hops that are replaced count, and
/// what they came from still goes to the substitute.
bool may_go(const route_state& state) {
  if (!state.forward || (state.mend && state.forward->is_alone())) return false;
  return state.log->done() >= (is_next_alone(state) ? state.sent : state.last_alone);
}

/// Steps of the request under way go into the log, as far as the first hop has room for more.
void log_steps(route_pointer self) {
  auto& state = self->state;
  while (may_go(state) && state.out->untaken() + state.out->unsent(*state.log) < limits::untaken_steps) {
    const bool alone = is_next_alone(state);
    auto next = state.forward->next(state.done);
    if (!next) return;
    if (!state.log->append(entry_of(*next)))
      return fail(self, make_error(errc::no_room, "the log of the first hop's inputs is full"));
    state.sent = next->seq;
    if (alone) state.last_alone = state.sent;
  }
}

void refused(route_pointer self, uint64_t epoch, uint64_t seq, uint64_t last, errc code, const std::string& text);

void send(route_pointer self, std::optional<outlet>& way) {
  auto& state = self->state;
  while (way) {
    auto s = way->next(*state.log);
    if (!s) return;
    const auto epoch = s->epoch, seq = s->seq;
    s->from = state.config->self;
    auto of_epoch = [self, epoch]() -> outlet* {
      for (auto* one : {&self->state.out, &self->state.substitute})
        if (*one && (*one)->to().epoch == epoch) return &**one;
      return nullptr;
    };
    self->request(way->edge, caf::infinite, step_atom::value, std::move(*s))
        .then(
            [self, of_epoch](taken) {
              if (auto* to = of_epoch()) to->taken();
              pump(self);
            },
            [self, of_epoch, epoch, seq](caf::error& reason) {
              if (auto* to = of_epoch()) to->taken();
              refused(self, epoch, seq, last_of(reason), code_of(reason), sentence(reason));
            });
  }
}

/// The first hop did not take a step.
void refused(route_pointer self, uint64_t epoch, uint64_t seq, uint64_t last, errc code, const std::string& text) {
  auto& state = self->state;
  if (state.now != phase::open || !state.out) return;
  if (state.substitute && state.substitute->to().epoch == epoch)
    return route_mending::substitute_refused(self, make_error(code, text));
  if (state.out->to().epoch != epoch || !state.out->edge || state.hops.front().lost) return;
  if (code == errc::gap && state.out->rewind(last)) return pump(self);
  if (route_mending::hop_objects(self, 0, code, "it refused step " + std::to_string(seq) + ": " + text)) return;
  if (code == errc::unknown_session) return route_mending::hop_lost(self, 0, text);
  // What else is on its way there is refused as well.
  self->send(std::exchange(state.out->edge, nullptr), close_atom::value);
  route_mending::edge_broken(self, 0, text);
}

// -- deadlines ------------------------------------------------------------------------------------------------------

/// Progress was made: the time for the next output begins.
void restart_deadline(route_pointer self) {
  auto& state = self->state;
  const auto now = self->clock().now();
  state.deadline = now + state.config->options.step_timeout;
  state.waiting_since = now;
  state.timer.set(self, state.deadline);
}

alarm::time_point late_at(const route_state& state) {
  const bool is_mending = state.mend && (!state.mend->moves || state.mend->committing);
  if (!state.forward || is_mending || state.waits_for_servers || state.done >= state.sent) return alarm::never;
  const auto tokens = state.forward->tokens_of(state.done + 1);
  const auto patience = state.patience.of(tokens).value_or(first_patience);
  return std::max({state.waiting_since, state.last_progress, state.last_late}) + patience * (1 << state.late_rounds);
}

/// The hop at fault is the first that has not applied the step; if that is none, the way of the output.
void look_for_the_late(route_pointer self) {
  auto& state = self->state;
  if (self->clock().now() < late_at(state)) return;
  // Who is only late, and has no substitute, is looked at again less and less often.
  state.late_rounds = std::min(state.late_rounds + 1, 6);
  state.last_late = self->clock().now();
  for (size_t i = 0; i < state.hops.size(); ++i)
    if (state.hops[i].applied <= state.done) return route_mending::hop_late(self, i);
  route_mending::edge_broken(self, state.hops.size(), "no output came from the last hop");
}

void set_timer(route_pointer self) {
  auto& state = self->state;
  state.timer.set(self, std::min(state.deadline, late_at(state)));
  if (state.waits_for_servers) state.timer.set(self, state.ask_again);
  if (state.mend && !state.mend->committing) state.timer.set(self, state.mend->due);
  if (state.move_waits) state.timer.set(self, state.move_at);
}

std::string what_is_missing(const route_state& state) {
  if (state.refusal) {
    const auto last = sentence(state.refusal);
    return ": " + last + (state.loss.empty() || state.loss == last ? "" : "; " + state.loss);
  }
  for (auto& h : state.hops)
    if (h.applied <= state.done)
      return ": server " + h.plan.peer.to_string() + " of blocks " + to_string(h.plan.blocks) + " does not answer";
  return {};
}

void tick(route_pointer self) {
  auto& state = self->state;
  state.timer.rang();
  if (state.now != phase::open && state.now != phase::opening) return;
  if (self->clock().now() >= state.deadline) {
    const auto code = state.waits_for_servers && state.refusal ? code_of(state.refusal) : errc::timed_out;
    const auto what = state.now == phase::open ? "no output within " : "no route was opened within ";
    const auto time = std::to_string(state.config->options.step_timeout.count()) + " ms";
    return fail(self, make_error(code, what + time + what_is_missing(state)));
  }
  if (state.waits_for_servers && self->clock().now() >= state.ask_again) route_mending::servers_changed(self);
  route_mending::look_at_deadline(self);
  route_mending::look_at_move(self);
  look_for_the_late(self);
  if (state.now != phase::failed) set_timer(self);
}

// -- requests -------------------------------------------------------------------------------------------------------

caf::result<taken> open(route_pointer self) {
  auto& state = self->state;
  if (state.now != phase::idle) return make_error(errc::bad_request, "the route was opened before");
  state.now = phase::opening;
  state.opening = self->make_response_promise<taken>();
  route_mending::open(self);
  return state.opening;
}

caf::result<forward_reply> forward(route_pointer self, forward_request& request) {
  auto& state = self->state;
  if (state.now == phase::failed) return state.failure;
  if (state.now != phase::open) return make_error(errc::bad_request, "the route is not open");
  if (state.forward) return make_error(errc::bad_request, "one request at a time");
  auto& options = state.config->options;
  auto& dims = request.hidden.dims();
  if (dims.size() != 3 || dims[0] != options.batch || dims[2] != state.config->model->hidden_size)
    return make_error(
        errc::bad_tensor, "hidden is " + model::to_string(dims) + ", and the route takes [" +
                              std::to_string(options.batch) + ", T, " +
                              std::to_string(state.config->model->hidden_size) + "]");
  if (request.position > state.position || request.position + dims[1] > options.max_length)
    return make_error(
        errc::position_mismatch, "positions " + std::to_string(request.position) + " to " +
                                     std::to_string(request.position + dims[1]) + " with " +
                                     std::to_string(state.position) + " in the cache and room for " +
                                     std::to_string(options.max_length));
  bool alone = request.position < state.position || !request.hypo_ids.empty();
  state.forward.emplace(std::move(request), options.chunk_tokens, options.pipeline, alone, state.sent + 1);
  state.answer = self->make_response_promise<forward_reply>();
  restart_deadline(self);
  if (state.waits_for_servers) route_mending::servers_changed(self);
  route_mending::look_for_better(self);
  pump(self);
  return state.answer;
}

void output_complete(route_pointer self) {
  auto& state = self->state;
  state.position = state.forward->end();
  state.deadline = alarm::never;
  auto reply = state.forward->reply();
  state.forward.reset();
  state.answer.deliver(std::move(reply));
}

uint32_t saturated(std::chrono::microseconds time) {
  return static_cast<uint32_t>(std::min<int64_t>(time.count(), std::numeric_limits<uint32_t>::max()));
}

/// An output of the last hop.
caf::result<taken> take(route_pointer self, step& output) {
  auto& state = self->state;
  if (output.from != state.sink_from) return make_error(errc::not_yours, "not from the last hop");
  if (output.epoch != state.sink_epoch) return make_error(errc::stale, "of an edge that is not in force");
  if (output.seq <= state.done) return taken{};
  if (state.now != phase::open || !state.forward) return make_error(errc::stale, "nothing is awaited");
  if (output.seq != state.done + 1) return make_error(errc::gap, "outputs come in order", state.done);
  auto& dims = output.hidden.dims();
  const auto* sent = state.log->find(output.seq);
  if (sent == nullptr) return make_error(errc::stale, "an output of a step that was not sent");
  const auto wanted = sent->rows.wanted == rows_wanted::all    ? sent->tokens
                      : sent->rows.wanted == rows_wanted::last ? std::min(sent->tokens, 1u)
                                                               : 0u;
  const model::shape right{state.config->options.batch, wanted, state.config->model->hidden_size};
  if (dims != right) {
    const auto text =
        "it answered with a tensor of shape " + model::to_string(dims) + " and not " + model::to_string(right);
    route_mending::blame(self, output.from, errc::protocol_violation);
    route_mending::hop_lost(self, state.hops.size() - 1, text);
    return make_error(errc::bad_tensor, text);
  }
  if (!model::all_finite(output.hidden)) {
    const auto text = std::string{"its output is not a finite number"};
    route_mending::replace_once(self, state.hops.size() - 1, errc::not_finite, text);
    return make_error(errc::not_finite, text);
  }
  const auto& entry = *sent;
  state.done = output.seq;
  state.done_position = entry.position + entry.tokens;
  // What was mended meanwhile says nothing of how fast the chain is.
  if (!state.mend && state.late_rounds == 0)
    state.patience.took(entry.tokens, self->clock().now() - state.waiting_since);
  state.late_rounds = 0;
  if (state.forward->is_decode()) {
    const auto now = self->clock().now();
    const auto before = std::exchange(state.last_output, now);
    if (before != alarm::time_point{})
      state.decode_micros.add(saturated(std::chrono::duration_cast<std::chrono::microseconds>(now - before)));
  }
  state.forward->take(std::move(output.hidden));
  route_mending::output_came(self);
  if (state.forward->complete()) {
    output_complete(self);
  } else {
    restart_deadline(self);
    pump(self);
  }
  return taken{};
}

void progress(route_pointer self, const applied& event) {
  auto& state = self->state;
  for (size_t i = 0; i < state.hops.size(); ++i) {
    auto& h = state.hops[i];
    if (h.session != event.session) continue;
    const auto now = self->clock().now();
    if (event.seq > h.applied) {
      if (!std::exchange(h.proved, true) && !h.lost) self->send(state.config->bans, success_atom::value, h.plan.peer);
      h.applied = event.seq;
      state.last_progress = now;
    }
    state.trace.push_back({static_cast<uint32_t>(i), event.seq, event.micros, now});
    if (state.trace.size() > trace_length) state.trace.pop_front();
    if (state.forward && state.forward->is_decode()) h.decode_micros.add(event.micros);
  }
}

route_status status(route_pointer self) {
  auto& state = self->state;
  route_status result;
  for (auto& h : state.hops) result.hops.push_back({h.plan.peer, h.plan.blocks, h.decode_micros.get() / 1000.0});
  result.position = state.position;
  result.recoveries = state.recoveries;
  result.trace = {state.trace.begin(), state.trace.end()};
  return result;
}

/// Asks all hops at once; one that does not answer is left out.
caf::result<std::vector<session_status>> audit(route_pointer self) {
  struct gathering {
    std::vector<session_status> answers;
    size_t left = 0;
  };
  auto promise = self->make_response_promise<std::vector<session_status>>();
  auto all = std::make_shared<gathering>();
  all->answers.resize(self->state.hops.size());
  all->left = self->state.hops.size();
  auto settle = [all, promise]() mutable {
    if (--all->left == 0) promise.deliver(std::move(all->answers));
  };
  for (size_t i = 0; i < self->state.hops.size(); ++i)
    self->request(self->state.hops[i].control, std::chrono::seconds{2}, status_atom::value)
        .then(
            [all, i, settle](session_status& answer) mutable {
              all->answers[i] = std::move(answer);
              settle();
            },
            [settle](caf::error&) mutable { settle(); });
  if (all->left == 0) promise.deliver(std::vector<session_status>{});
  return promise;
}

route_impl::behavior_type route(route_pointer self, const route_config& config) {
  auto& state = self->state;
  state.config = config;
  state.log.emplace(make_sent_log(
      uint64_t{config.options.batch} * config.options.max_length * static_cast<uint64_t>(config.model->hidden_size) *
          sizeof(float),
      /*keep_done=*/true));
  self->set_down_handler([self](caf::down_msg& down) { route_mending::peer_lost(self, down.source, down.reason); });
  return {
      [self](open_atom) { return open(self); },
      [self](forward_atom, forward_request& request) { return forward(self, request); },
      [self](step_atom, step& output) { return take(self, output); },
      [self](applied_atom, const applied& event) { progress(self, event); },
      [self](failed_atom, const session_failed& event) { route_mending::session_ended(self, event); },
      [self](restored_atom, const session_restored& event) { route_mending::session_restored_there(self, event); },
      [self](edge_lost_atom, const edge_lost& event) { route_mending::edge_reported(self, event); },
      [self](leaving_atom, const session_leaving& event) { route_mending::session_leaving_there(self, event); },
      [self](status_atom) { return status(self); },
      [self](audit_atom) { return audit(self); },
      [self](close_atom) {
        fail(self, make_error(errc::cancelled, "the route was closed"));
        self->quit();
      },
      [self](refused_atom, const step_refused& why) {
        refused(self, why.epoch, why.seq, why.last, why.code, why.text);
      },
      [self](tick_atom) { tick(self); },
      [self](changed_atom) { route_mending::servers_changed(self); }};
}

}  // namespace

void pump(route_pointer self) {
  auto& state = self->state;
  if (state.now != phase::open || !state.out) return;
  // First of all, as a step that truncates finds room only where those before it are settled.
  state.log->advance(std::min(told_done(state), state.out->sent()));
  log_steps(self);
  if (state.now != phase::open) return;
  send(self, state.out);
  send(self, state.substitute);
  set_timer(self);
}

route_actor spawn_route(caf::actor_system& system, route_config config) {
  return spawn_stateful(system, route, std::move(config));
}

}  // namespace corolla::actors
