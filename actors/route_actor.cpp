#include "actors/route_actor.hpp"

#include <deque>
#include <set>

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/alarm.hpp"
#include "actors/policy/recent_median.hpp"
#include "actors/route_chunks.hpp"
#include "actors/route_plan.hpp"
#include "actors/spawn.hpp"
#include "actors/wire/limits.hpp"

namespace corolla::actors {
namespace {

namespace limits = wire::limits;

/// Finding one node of the swarm that answers, and what it knows.
constexpr auto join_timeout = std::chrono::seconds{15};
/// Beyond the time that an open may wait for room.
constexpr auto open_timeout = std::chrono::seconds{30};
/// Plans for one opening: each leaves out the servers that refused before.
constexpr uint32_t max_plans = 4;
constexpr size_t trace_length = 4096;

struct hop {
  planned_hop plan;
  session_id session;
  session_control_actor control;
  peer_actor peer;
  policy::recent_median decode_micros;
};

enum class phase { idle, opening, open, failed };

struct route_state {
  route_state() = default;
  std::optional<route_config> config;
  phase now = phase::idle;
  caf::error failure;
  std::vector<hop> hops;
  session_id sink_session;
  step_sink_actor first;
  // Opening.
  caf::typed_response_promise<taken> opening;
  std::set<peer_id> excluded;
  uint32_t plans = 0;
  uint32_t attempt = 0;  // answers to opens of an earlier plan are told apart by it
  size_t opens_left = 0;
  caf::error refusal;
  // Steps.
  uint64_t sent = 0;  // highest seq sent
  uint64_t done = 0;
  uint32_t position = 0;
  uint32_t untaken = 0;
  std::optional<chunked_forward> forward;
  caf::typed_response_promise<forward_reply> answer;
  alarm::time_point deadline = alarm::never;  // of the next output
  alarm timer;
  std::deque<applied_event> trace;
  static constexpr const char* name = "route";
};
using route_impl = route_actor::extend<caf::reacts_to<refused_atom, step_refused>, caf::reacts_to<tick_atom>>;
using self_pointer = route_impl::stateful_pointer<route_state>;

void close_hops(self_pointer self) {
  for (auto& h : self->state.hops)
    if (h.control) self->send(h.control, close_atom::value);
  self->state.hops.clear();
  self->state.first = nullptr;
}

/// Ends the route: nothing of it stays at any server, and every later request is answered with why.
void fail(self_pointer self, caf::error reason) {
  auto& state = self->state;
  if (state.now == phase::failed) return;
  auto was = state.now;
  state.now = phase::failed;
  state.failure = reason;
  close_hops(self);
  if (was == phase::opening) state.opening.deliver(reason);
  state.deadline = alarm::never;
  if (state.forward) {
    state.forward.reset();
    state.answer.deliver(std::move(reason));
  }
}

// -- opening ------------------------------------------------------------------------------------------------------

void plan(self_pointer self);

void opened_all(self_pointer self) {
  auto& state = self->state;
  auto& first = state.hops.front();
  self->request(first.peer, open_timeout, attach_atom::value, first.session, edge_owner_actor{self})
      .then(
          [self](step_sink_actor& sink) {
            auto& s = self->state;
            if (s.now != phase::opening) return;
            s.first = std::move(sink);
            s.now = phase::open;
            s.opening.deliver(taken{});
          },
          [self](caf::error& reason) { fail(self, std::move(reason)); });
}

/// All answers to the opens of one plan are in.  Opens are all or nothing: where one was refused the others are closed,
/// and another plan is made without the refuser.
void opens_settled(self_pointer self) {
  auto& state = self->state;
  if (!state.refusal) return opened_all(self);
  close_hops(self);
  if (state.plans >= max_plans) return fail(self, state.refusal);
  plan(self);
}

void open_answered(
    self_pointer self, uint32_t attempt, size_t index, session_control_actor control, caf::error refusal) {
  auto& state = self->state;
  if (state.now != phase::opening || attempt != state.attempt) {
    if (control) self->send(control, close_atom::value);
    return;
  }
  auto& h = state.hops[index];
  h.control = std::move(control);
  if (refusal) {
    state.excluded.insert(h.plan.peer);
    state.refusal = make_error(code_of(refusal), "server " + h.plan.peer.to_string() + ": " + sentence(refusal));
  }
  if (--state.opens_left == 0) opens_settled(self);
}

open_request request_for(self_pointer self, size_t index) {
  auto& state = self->state;
  auto& options = state.config->options;
  auto& h = state.hops[index];
  open_request request;
  request.session = h.session;
  request.model = state.config->model->digests.model;
  request.blocks = h.plan.blocks;
  request.blocks_digest = model::of_blocks(state.config->model->digests, h.plan.blocks);
  request.wire = h.plan.dtype;
  request.batch = options.batch;
  request.max_length = options.max_length;
  request.alloc_timeout = options.alloc_timeout;
  bool is_last = index + 1 == state.hops.size();
  request.upstream = index == 0 ? state.config->self : state.hops[index - 1].plan.peer;
  request.next = is_last ? state.config->self : state.hops[index + 1].plan.peer;
  request.next_session = is_last ? state.sink_session : state.hops[index + 1].session;
  return request;
}

void open_hop(self_pointer self, size_t index) {
  auto& state = self->state;
  auto attempt = state.attempt;
  auto refused = [self, attempt, index](caf::error& reason) {
    open_answered(self, attempt, index, {}, std::move(reason));
  };
  self->request(state.config->node, join_timeout, connect_atom::value, state.hops[index].plan.peer)
      .then(
          [self, attempt, index, refused](peer_actor& peer) {
            auto& s = self->state;
            if (s.now != phase::opening || attempt != s.attempt) return;
            s.hops[index].peer = peer;
            self->monitor(peer);
            self->request(
                    peer, open_timeout + s.config->options.alloc_timeout, open_atom::value, request_for(self, index),
                    session_events_actor{self})
                .then(
                    [self, attempt, index](session_control_actor& control) {
                      open_answered(self, attempt, index, std::move(control), {});
                    },
                    refused);
          },
          refused);
}

void open_hops(self_pointer self, std::vector<planned_hop> hops) {
  auto& state = self->state;
  ++state.attempt;
  state.refusal = {};
  state.sink_session = session_id::random();
  for (auto& planned : hops) state.hops.push_back({planned, session_id::random(), {}, {}, {}});
  state.opens_left = state.hops.size();
  self->request(
          state.config->node, join_timeout, register_atom::value, state.sink_session, state.hops.back().plan.peer,
          step_sink_actor{self})
      .then(
          [self](taken) {
            for (size_t i = 0; i < self->state.hops.size(); ++i) open_hop(self, i);
          },
          [self](caf::error& reason) { fail(self, std::move(reason)); });
}

void plan(self_pointer self) {
  auto& state = self->state;
  ++state.plans;
  self->request(state.config->directory, join_timeout, snapshot_atom::value)
      .then(
          [self](const std::vector<server_record>& servers) {
            auto& s = self->state;
            auto planned = plan_hops(servers, *s.config->model, s.config->options, s.excluded);
            if (auto hops = std::get_if<std::vector<planned_hop>>(&planned)) return open_hops(self, std::move(*hops));
            // Where servers refused, what they said tells more than that nobody else is left.
            fail(self, s.refusal ? s.refusal : std::get<caf::error>(planned));
          },
          [self](caf::error& reason) { fail(self, std::move(reason)); });
}

/// Asks the first bootstrap node that answers for all it knows.
void join(self_pointer self, size_t index, caf::error last_failure) {
  auto& bootstrap = self->state.config->bootstrap;
  if (bootstrap.empty()) return plan(self);
  if (index == bootstrap.size()) return fail(self, std::move(last_failure));
  auto next = [self, index](caf::error& reason) { join(self, index + 1, std::move(reason)); };
  self->request(self->state.config->node, join_timeout, connect_atom::value, bootstrap[index])
      .then(
          [self, next](peer_actor& peer) {
            self->request(peer, join_timeout, snapshot_atom::value).then([self](taken) { plan(self); }, next);
          },
          next);
}

caf::result<taken> open(self_pointer self) {
  auto& state = self->state;
  if (state.now != phase::idle) return make_error(errc::bad_request, "the route was opened before");
  state.now = phase::opening;
  state.opening = self->make_response_promise<taken>();
  join(self, 0, {});
  return state.opening;
}

// -- steps --------------------------------------------------------------------------------------------------------

/// Progress was made: the time for the next begins.
void restart_deadline(self_pointer self) {
  auto& state = self->state;
  state.deadline = self->clock().now() + state.config->options.step_timeout;
  state.timer.set(self, state.deadline);
}

void tick(self_pointer self) {
  auto& state = self->state;
  state.timer.rang();
  if (self->clock().now() >= state.deadline)
    return fail(self, make_error(errc::timed_out, "no hop answered within the step's time"));
  if (state.deadline != alarm::never) state.timer.set(self, state.deadline);
}

void send_steps(self_pointer self) {
  auto& state = self->state;
  while (state.forward && state.untaken < limits::untaken_steps) {
    auto next = state.forward->next(state.done);
    if (!next) return;
    next->epoch = 1;
    next->from = state.config->self;
    state.sent = next->seq;
    ++state.untaken;
    self->request(state.first, caf::infinite, step_atom::value, std::move(*next))
        .then(
            [self](taken) {
              --self->state.untaken;
              send_steps(self);
            },
            [self](caf::error& reason) { fail(self, std::move(reason)); });
  }
}

caf::result<forward_reply> forward(self_pointer self, forward_request& request) {
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
  send_steps(self);
  return state.answer;
}

/// An output of the last hop.
caf::result<taken> take(self_pointer self, step& output) {
  auto& state = self->state;
  if (state.now != phase::open || !state.forward) return make_error(errc::stale, "nothing is awaited");
  if (output.from != state.hops.back().plan.peer) return make_error(errc::not_yours, "not from the last hop");
  if (output.seq != state.done + 1) return make_error(errc::gap, "outputs come in order");
  auto& dims = output.hidden.dims();
  if (dims[0] != state.config->options.batch || dims[2] != state.config->model->hidden_size) {
    auto reason =
        make_error(errc::bad_tensor, "the last hop answered with a tensor of shape " + model::to_string(dims));
    fail(self, reason);
    return reason;
  }
  state.done = output.seq;
  state.forward->take(std::move(output.hidden));
  if (state.forward->complete()) {
    state.position = state.forward->end();
    state.deadline = alarm::never;
    auto reply = state.forward->reply();
    state.forward.reset();
    state.answer.deliver(std::move(reply));
  } else {
    restart_deadline(self);
    send_steps(self);
  }
  return taken{};
}

// -- what hops say ------------------------------------------------------------------------------------------------

hop* hop_of(self_pointer self, const session_id& session) {
  for (auto& h : self->state.hops)
    if (h.session == session) return &h;
  return nullptr;
}

void progress(self_pointer self, const applied& event) {
  auto& state = self->state;
  auto h = hop_of(self, event.session);
  if (!h) return;
  state.trace.push_back({static_cast<uint32_t>(h - state.hops.data()), event.seq, event.micros, self->clock().now()});
  if (state.trace.size() > trace_length) state.trace.pop_front();
  if (state.forward && state.forward->is_decode()) h->decode_micros.add(event.micros);
}

route_status status(self_pointer self) {
  auto& state = self->state;
  route_status result;
  for (auto& h : state.hops) result.hops.push_back({h.plan.peer, h.plan.blocks, h.decode_micros.get() / 1000.0});
  result.position = state.position;
  result.trace = {state.trace.begin(), state.trace.end()};
  return result;
}

void peer_lost(self_pointer self, const caf::down_msg& down) {
  for (auto& h : self->state.hops)
    if (h.peer && h.peer.address() == down.source)
      return fail(
          self, make_error(
                    errc::link_lost, "server " + h.plan.peer.to_string() + " of blocks " + to_string(h.plan.blocks) +
                                         " was lost: " + sentence(down.reason)));
}

route_impl::behavior_type route(self_pointer self, const route_config& config) {
  self->state.config = config;
  self->set_down_handler([self](caf::down_msg& down) { peer_lost(self, down); });
  return {
      [self](open_atom) { return open(self); },
      [self](forward_atom, forward_request& request) { return forward(self, request); },
      [self](step_atom, step& output) { return take(self, output); },
      [self](applied_atom, const applied& event) { progress(self, event); },
      [self](failed_atom, const session_failed& event) {
        auto h = hop_of(self, event.session);
        if (h) fail(self, make_error(event.code, "server " + h->plan.peer.to_string() + ": " + event.text));
      },
      [self](status_atom) { return status(self); },
      [self](close_atom) {
        fail(self, make_error(errc::cancelled, "the route was closed"));
        self->quit();
      },
      [self](refused_atom, const step_refused& refusal) { fail(self, make_error(refusal.code, refusal.text)); },
      [self](tick_atom) { tick(self); }};
}

}  // namespace

route_actor spawn_route(caf::actor_system& system, route_config config) {
  return spawn_stateful(system, route, std::move(config));
}

}  // namespace corolla::actors
