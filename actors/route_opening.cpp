// How a gap is planned, and its substitutes are opened: all or none.
#include "actors/route_mending.hpp"

namespace corolla::actors::route_mending {
namespace {

/// Finding one node of the swarm that answers, and what it knows.
constexpr auto join_timeout = std::chrono::seconds{15};
/// Plans for one opening: each leaves out the servers that refused before.
constexpr uint32_t max_plans = 4;
/// Before nodes of which none answered are dialled again.
constexpr auto join_pause = std::chrono::seconds{1};
/// Before a server that was full is asked again, the first time.
constexpr auto room_pause = std::chrono::milliseconds{250};

model::block_range blocks_of(const route_state& state, const mending& m) {
  if (state.hops.empty()) return state.config->options.blocks;
  return {state.hops[m.first].plan.blocks.begin, state.hops[m.last - 1].plan.blocks.end};
}

/// Asks the first bootstrap node that answers for all it knows, and is told of changes from then on.
template <class Done, class Failed>
void join(route_pointer self, size_t index, Done done, Failed failed, caf::error last_failure = {}) {
  auto& bootstrap = self->state.config->bootstrap;
  if (index == bootstrap.size()) return failed(last_failure);
  auto next = [self, index, done, failed](caf::error& reason) { join(self, index + 1, done, failed, reason); };
  self->request(self->state.config->node, join_timeout, connect_atom::value, bootstrap[index])
      .then(
          [self, done, next](peer_actor& peer) {
            self->request(peer, join_timeout, snapshot_atom::value).then([done](taken) { done(); }, next);
          },
          next);
}

/// Whoever waits for a server may have lost, with its last link, those who could tell of one.
void join_again(route_pointer self) {
  auto& state = self->state;
  if (!state.may_be_alone || !state.forward || state.config->bootstrap.empty()) return;
  state.may_be_alone = false;
  auto look = [self] { servers_changed(self); };
  join(self, 0, look, [self](const caf::error&) {
    self->state.may_be_alone = true;
    self->delayed_send(self, join_pause, changed_atom::value);
  });
}

// -- planning -------------------------------------------------------------------------------------------------------

void no_plan(route_pointer self, caf::error reason) {
  auto& state = self->state;
  // Where servers refused, what they said tells more than that nobody else is left.
  if (is_opening(state)) return fail(self, state.refusal ? state.refusal : reason);
  const bool serves = is_optional(*state.mend);
  abandon(self);
  if (serves) {
    state.excluded.clear();
    state.move_waits = true;
    return;
  }
  // The deadline of the output ends this.  A server that joins is told of by the directory; one that was full is asked
  // again after a while, and not by all routes at the same time.
  if (state.refusal && code_of(state.refusal) == errc::no_room) {
    const auto share = 500 + state.sink_session.bytes[0] * 2;  // 500 to 1010 thousandths
    self->delayed_send(self, room_pause * (1 << std::min(state.tries, 7u)) * share / 1000, changed_atom::value);
  }
  state.refusal = std::move(reason);
  state.waits_for_servers = true;
  state.excluded.clear();
  join_again(self);
}

// -- opening --------------------------------------------------------------------------------------------------------

open_request request_for(route_pointer self, const mending& m, size_t index) {
  auto& state = self->state;
  auto& config = *state.config;
  auto& h = m.fresh[index];
  const bool is_first = index == 0, is_last = index + 1 == m.fresh.size();
  open_request request;
  request.session = h.session;
  request.model = config.model->digests.model;
  request.blocks = h.plan.blocks;
  request.blocks_digest = model::of_blocks(config.model->digests, h.plan.blocks);
  request.wire = h.plan.dtype;
  request.batch = config.options.batch;
  request.max_length = config.options.max_length;
  // Routes that are mended never wait for room: two of them could each hold half of the last.
  request.alloc_timeout = is_opening(state) ? config.options.alloc_timeout : std::chrono::milliseconds{0};
  request.epoch = m.epoch;
  if (!is_first)
    request.upstream = m.fresh[index - 1].plan.peer;
  else
    request.upstream = fed_by_client(m) ? config.self : state.hops[m.first - 1].plan.peer;
  if (!is_last) {
    request.next = m.fresh[index + 1].plan.peer;
    request.next_session = m.fresh[index + 1].session;
  } else if (feeds_client(state, m)) {
    request.next = config.self;
    request.next_session = state.sink_session;
  } else {
    request.next = state.hops[m.last].plan.peer;
    request.next_session = state.hops[m.last].session;
  }
  request.done = m.done;
  request.restoring = m.position > 0;
  request.restorer = m.hands_over ? state.hops[m.first].plan.peer : request.upstream;
  request.next_restoring = request.restoring && !is_last;
  return request;
}

/// All answers to the opens of one plan are in.  Opens are all or nothing: where one was refused the others are closed,
/// and another plan is made without the refuser.
void opens_settled(route_pointer self) {
  auto& state = self->state;
  auto& m = *state.mend;
  if (m.refusal) {
    if (is_opening(state) && state.tries + 1 >= max_plans) return fail(self, m.refusal);
    return again(self, m.refusal);
  }
  m.report.opening = std::chrono::duration_cast<std::chrono::microseconds>(self->clock().now() - m.begun);
  m.position > 0 ? restore(self) : commit(self);
}

void open_answered(
    route_pointer self, uint64_t epoch, size_t index, session_control_actor control, caf::error refusal) {
  auto* m = current(self, epoch);
  if (m == nullptr || index >= m->fresh.size()) {
    if (control) self->send(control, close_atom::value);
    return;
  }
  auto& h = m->fresh[index];
  h.control = std::move(control);
  if (refusal) {
    self->state.excluded.insert(h.plan.peer);
    m->refusal = make_error(code_of(refusal), named(h) + ": " + sentence(refusal));
  }
  if (--m->opens_left == 0) opens_settled(self);
}

void open_hop(route_pointer self, size_t index) {
  auto& state = self->state;
  auto epoch = state.mend->epoch;
  auto refused = [self, epoch, index](caf::error& reason) { open_answered(self, epoch, index, {}, std::move(reason)); };
  self->request(state.config->node, connect_timeout, connect_atom::value, state.mend->fresh[index].plan.peer)
      .then(
          [self, epoch, index, refused](peer_actor& peer) {
            auto* m = current(self, epoch);
            if (m == nullptr) return;
            m->fresh[index].peer = peer;
            self->monitor(peer);
            auto request = request_for(self, *m, index);
            auto timeout = request.alloc_timeout + connect_timeout + answer_timeout;
            self->request(peer, timeout, open_atom::value, std::move(request), session_events_actor{self})
                .then(
                    [self, epoch, index](session_control_actor& control) {
                      open_answered(self, epoch, index, std::move(control), {});
                    },
                    refused);
          },
          refused);
}

void open_all(route_pointer self, std::vector<planned_hop> hops) {
  auto& m = *self->state.mend;
  for (auto& planned : hops) {
    hop h;
    h.plan = planned;
    h.session = session_id::random();
    h.epoch = m.epoch;
    h.applied = m.done;
    m.fresh.push_back(std::move(h));
  }
  // Only the like of it can take over what a hop has.
  if (m.moves && m.last - m.first == 1 && hops.size() == 1 && m.position > 0) {
    auto& old = self->state.hops[m.first];
    m.report.handed_over = m.hands_over = !old.gives_rows && hops[0].dtype == old.plan.dtype;
  }
  m.opens_left = m.fresh.size();
  for (size_t i = 0; i < m.fresh.size(); ++i) open_hop(self, i);
}

}  // namespace

void plan(route_pointer self) {
  auto& state = self->state;
  auto epoch = state.mend->epoch;
  self->request(state.config->directory, connect_timeout, snapshot_atom::value)
      .then(
          [self, epoch](const std::vector<server_record>& servers) {
            auto* m = current(self, epoch);
            if (m == nullptr) return;
            auto& s = self->state;
            auto options = s.config->options;
            options.blocks = blocks_of(s, *m);
            route_knowledge known;
            known.excluded = s.excluded;
            if (!fed_by_client(*m)) known.source = round_trips_of(servers, s.hops[m->first - 1].plan.peer);
            if (!feeds_client(s, *m)) known.sink = round_trips_of(servers, s.hops[m->last].plan.peer);
            auto planned = estimate_route(servers, *s.config->model, options, known);
            if (auto* found = std::get_if<route_estimate>(&planned)) return open_all(self, std::move(found->hops));
            no_plan(self, std::get<caf::error>(std::move(planned)));
          },
          [self, epoch](caf::error& reason) {
            if (current(self, epoch) != nullptr) fail(self, std::move(reason));
          });
}

void open(route_pointer self) {
  auto& state = self->state;
  state.sink_session = session_id::random();
  self->request(state.config->node, connect_timeout, register_atom::value, state.sink_session, step_sink_actor{self})
      .then(
          [self](taken) {
            auto plan_it = [self] {
              if (is_opening(self->state)) begin(self, {});
            };
            if (self->state.config->bootstrap.empty()) return plan_it();
            join(self, 0, plan_it, [self](const caf::error& reason) { fail(self, reason); });
          },
          [self](caf::error& reason) { fail(self, std::move(reason)); });
  self->send(state.config->directory, watch_atom::value, directory_watcher_actor{self});
}

}  // namespace corolla::actors::route_mending
