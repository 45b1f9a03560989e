#include "actors/route_mending.hpp"

#include <algorithm>

namespace corolla::actors::route_mending {

/// Handing over, while the hop that leaves goes on.
static constexpr auto hand_over_timeout = std::chrono::seconds{30};

mending* current(route_pointer self, uint64_t epoch) {
  auto& state = self->state;
  const bool is_over = state.now == phase::failed || !state.mend || state.mend->epoch != epoch;
  return is_over ? nullptr : &*state.mend;
}

std::string named(const hop& h) {
  return "server " + h.plan.peer.to_string();
}

static std::chrono::microseconds since(route_pointer self, alarm::time_point begun) {
  return std::chrono::duration_cast<std::chrono::microseconds>(self->clock().now() - begun);
}

static void close(route_pointer self, std::vector<hop>& hops) {
  for (auto& h : hops)
    if (h.control) self->send(h.control, close_atom::value);
  hops.clear();
}

static void let_go(route_pointer self, std::optional<outlet>& way) {
  if (way && way->edge) self->send(way->edge, close_atom::value);
  way.reset();
}

// -- beginning and giving up ----------------------------------------------------------------------------------------

/// What the next step truncates is of no use, and a full log keeps it no more.
static uint32_t tokens_to_restore(const route_state& state) {
  const auto* next = state.log->find(state.done + 1);
  return next == nullptr ? state.done_position : std::min(state.done_position, next->position);
}

void begin(route_pointer self, mending m) {
  auto& state = self->state;
  m.epoch = ++state.epochs;
  m.done = state.done;
  m.position = tokens_to_restore(state);
  m.left_out = state.excluded.size();
  m.begun = m.report.noticed = self->clock().now();
  m.report.late = m.late;
  m.report.moved = m.moves;
  state.mend = std::move(m);
  state.waits_for_servers = false;
  state.mend->edge_alone ? commit(self) : plan(self);
}

void abandon(route_pointer self) {
  auto& state = self->state;
  close(self, state.mend->fresh);
  let_go(self, state.substitute);
  state.mend.reset();
}

void leave_nobody_out(route_state& state) {
  state.excluded.clear();
  state.cut_off.clear();
}

bool is_loss(errc code) {
  return code == errc::unreachable || code == errc::unknown_peer || code == errc::link_lost ||
         code == errc::timed_out || code == errc::stopping;
}

void again(route_pointer self, caf::error reason) {
  auto& state = self->state;
  auto& m = *state.mend;
  const auto begin_of = state.hops.begin() + static_cast<std::ptrdiff_t>(m.first);
  const auto end_of = state.hops.begin() + static_cast<std::ptrdiff_t>(m.last);
  // Nobody takes anything more from what was about to be replaced.
  if (is_optional(m) && m.committing) std::for_each(begin_of, end_of, [](hop& h) { h.lost = true; });
  const bool serves = is_optional(m) && std::none_of(begin_of, end_of, [](const hop& h) { return h.lost; });
  const bool was_late = m.late;
  const bool narrowed = state.excluded.size() > m.left_out;
  const auto first = m.first;
  abandon(self);
  state.unreached = state.unreached || is_loss(code_of(reason));
  state.refusal = std::move(reason);
  if (!narrowed && ++state.vain_tries > vain_tries_in_a_row) {
    if (!serves) return wait_for_servers(self, state.refusal);
    put_off_move(self);
    return begin_next(self);
  }
  if (is_opening(state)) return begin(self, {});
  // What is lost comes first.
  const bool all_serve = std::none_of(state.hops.begin(), state.hops.end(), [](const hop& h) { return h.lost; });
  if (all_serve && was_late) return hop_late(self, first);
  begin_next(self);
}

// -- restoring ------------------------------------------------------------------------------------------------------

static edge_target into(const mending& m, size_t index) {
  return {m.fresh[index].plan.peer, m.fresh[index].session, m.epoch};
}

void source_failed(route_pointer self, uint64_t epoch, const caf::error& reason) {
  auto* m = current(self, epoch);
  if (m == nullptr) return;
  auto& state = self->state;
  const auto code = code_of(reason);
  const bool is_the_way = code == errc::unknown_peer || code == errc::unreachable || code == errc::wrong_peer;
  if (is_the_way && !m->fresh.empty()) {
    state.excluded.insert(m->fresh.front().plan.peer);
    if (!fed_by_client(*m)) state.cut_off.insert(state.hops[m->first - 1].session);
  } else if (!fed_by_client(*m)) {
    state.hops[m->first - 1].lost = true;
  } else if (m->edge_alone) {
    state.hops[m->first].lost = true;
  }
  again(self, reason);
}

/// The way from the client to the first substitute, and the rows where they are to go.
static void begin_from_here(route_pointer self) {
  auto& state = self->state;
  auto& m = *state.mend;
  state.substitute.emplace(into(m, 0));
  if (!m.hands_over) state.substitute->restore(m.done, m.position);
  auto epoch = m.epoch;
  self->request(m.fresh[0].peer, answer_timeout, attach_atom::value, into(m, 0), edge_owner_actor{self})
      .then(
          [self, epoch](const edge_actor& edge) {
            if (current(self, epoch) == nullptr || !self->state.substitute) return self->send(edge, close_atom::value);
            self->state.substitute->edge = edge;
            pump(self);
          },
          [self, epoch](const caf::error& reason) { source_failed(self, epoch, reason); });
}

void hand_over_failed(route_pointer self, uint64_t epoch, const caf::error& reason) {
  auto* m = current(self, epoch);
  if (m == nullptr) return;
  self->state.hops[m->first].gives_rows = true;
  again(self, reason);
}

static void hand_over(route_pointer self) {
  auto& state = self->state;
  auto& m = *state.mend;
  m.due = self->clock().now() + hand_over_timeout;
  state.timer.set(self, m.due);
  // Should that fail, `relink` says so.
  if (fed_by_client(m))
    begin_from_here(self);
  else
    self->request(state.hops[m.first - 1].control, connect_timeout + answer_timeout, prepare_atom::value, into(m, 0))
        .then([](taken) {}, [](const caf::error&) {});
  auto epoch = m.epoch;
  self->request(
          state.hops[m.first].control, connect_timeout + answer_timeout, hand_over_atom::value,
          hand_over_request{into(m, 0), m.done, m.position})
      .then([](taken) {}, [self, epoch](const caf::error& reason) { hand_over_failed(self, epoch, reason); });
}

void restore(route_pointer self) {
  auto& state = self->state;
  auto& m = *state.mend;
  if (m.hands_over) return hand_over(self);
  const auto predicted = state.patience.per_token().value_or(assumed_per_token) * m.position;
  m.due = self->clock().now() + std::max<alarm::time_point::duration>(answer_timeout, predicted * 3);
  state.timer.set(self, m.due);
  if (fed_by_client(m)) return begin_from_here(self);
  auto epoch = m.epoch;
  self->request(
          state.hops[m.first - 1].control, connect_timeout + answer_timeout, restore_atom::value,
          restore_request{into(m, 0), m.done})
      .then([](taken) {}, [self, epoch](const caf::error& reason) { source_failed(self, epoch, reason); });
}

// -- committing -----------------------------------------------------------------------------------------------------

static void finish(route_pointer self) {
  auto& state = self->state;
  auto m = std::move(*state.mend);
  state.mend.reset();
  m.report.switching = since(self, m.begun) - m.report.opening - m.report.restoring;
  auto begin = state.hops.begin() + static_cast<std::ptrdiff_t>(m.first);
  auto end = state.hops.begin() + static_cast<std::ptrdiff_t>(m.last);
  if (!m.edge_alone) {
    if (!state.hops.empty()) m.report.blocks = {begin->plan.blocks.begin, (end - 1)->plan.blocks.end};
    m.report.restored_tokens = m.position;
    for (auto h = begin; h != end; ++h)
      if (h->control) self->send(h->control, close_atom::value);
    state.hops.erase(begin, end);
    state.hops.insert(
        state.hops.begin() + static_cast<std::ptrdiff_t>(m.first), std::make_move_iterator(m.fresh.begin()),
        std::make_move_iterator(m.fresh.end()));
  }
  const auto sink = m.first + m.fresh.size();
  if (sink < state.hops.size()) state.hops[sink].epoch = m.epoch;
  leave_nobody_out(state);
  state.refusal = {};
  const auto is_gone = [&](const auto& edge) {
    return edge.first != state.sink_session &&
           std::none_of(state.hops.begin(), state.hops.end(), [&](const hop& h) { return h.session == edge.first; });
  };
  std::erase_if(state.broken, is_gone);
  std::erase_if(state.edges_replaced, is_gone);
  if (m.moves) state.moves_in_vain = 0;
  if (is_opening(state)) {
    state.now = phase::open;
    state.vain_tries = state.losses = state.waits = 0;
    state.ask_again = alarm::never;
    state.deadline = alarm::never;
    state.opening.deliver(taken{});
  } else {
    state.recoveries.push_back(m.report);
  }
  begin_next(self);
  pump(self);
}

/// Steps after the one that is settled, or that the sink had, go the new way.
static void relink(route_pointer self, const edge_target& to, peer_actor peer, uint64_t last) {
  auto& state = self->state;
  auto& m = *state.mend;
  auto epoch = m.epoch;
  auto failed = [self, epoch](const caf::error& reason) { source_failed(self, epoch, reason); };
  if (!fed_by_client(m)) {
    self->request(
            state.hops[m.first - 1].control, connect_timeout + answer_timeout, relink_atom::value,
            relink_request{to, last})
        .then(
            [self, epoch](taken) {
              if (current(self, epoch) != nullptr) finish(self);
            },
            failed);
    return;
  }
  if (state.substitute && state.substitute->to() == to && state.substitute->edge) {
    let_go(self, state.out);
    state.out = std::exchange(state.substitute, std::nullopt);
    state.out->begin_after(last);
    return finish(self);
  }
  let_go(self, state.substitute);
  self->request(peer, answer_timeout, attach_atom::value, to, edge_owner_actor{self})
      .then(
          [self, epoch, to, last](const edge_actor& edge) {
            auto& s = self->state;
            if (current(self, epoch) == nullptr) return self->send(edge, close_atom::value);
            let_go(self, s.out);
            s.out.emplace(to);
            s.out->edge = edge;
            s.out->begin_after(last);
            finish(self);
          },
          failed);
}

static void sink_accepted(route_pointer self, uint64_t last) {
  auto& state = self->state;
  auto& m = *state.mend;
  if (!m.fresh.empty()) return relink(self, into(m, 0), m.fresh[0].peer, m.done);
  if (feeds_client(state, m)) return relink(self, {state.config->self, state.sink_session, m.epoch}, {}, last);
  auto& sink = state.hops[m.first];
  relink(self, {sink.plan.peer, sink.session, m.epoch}, sink.peer, last);
}

void commit(route_pointer self) {
  auto& state = self->state;
  auto& m = *state.mend;
  m.committing = true;
  if (!m.edge_alone) m.report.restoring = since(self, m.begun) - m.report.opening;
  const auto from = !m.fresh.empty()   ? m.fresh.back().plan.peer
                    : fed_by_client(m) ? state.config->self
                                       : state.hops[m.first - 1].plan.peer;
  if (feeds_client(state, m)) {
    state.sink_epoch = m.epoch;
    state.sink_from = from;
    return sink_accepted(self, state.done);
  }
  auto epoch = m.epoch;
  self->request(state.hops[m.last].control, answer_timeout, accept_atom::value, accept_request{epoch, from})
      .then(
          [self, epoch](const accepted& answer) {
            if (current(self, epoch) != nullptr) sink_accepted(self, answer.last);
          },
          [self, epoch](const caf::error& reason) {
            auto* now = current(self, epoch);
            if (now == nullptr) return;
            self->state.hops[now->last].lost = true;
            again(self, reason);
          });
}

void begin_next(route_pointer self) {
  auto& state = self->state;
  if (state.mend || state.now != phase::open || state.waits_for_servers) return;
  auto is_lost = [](const hop& h) { return h.lost; };
  auto first = std::find_if(state.hops.begin(), state.hops.end(), is_lost);
  mending m;
  if (first != state.hops.end()) {
    m.first = static_cast<size_t>(first - state.hops.begin());
    m.last = static_cast<size_t>(std::find_if_not(first, state.hops.end(), is_lost) - state.hops.begin());
    return begin(self, std::move(m));
  }
  if (state.broken.empty()) return begin_move(self);
  const auto to = state.broken.extract(state.broken.begin()).key();
  m.first = 0;
  while (receiver_of(state, m.first) != to && m.first < state.hops.size()) ++m.first;
  m.last = m.first;
  m.edge_alone = true;
  begin(self, std::move(m));
}

void close_all(route_pointer self) {
  auto& state = self->state;
  if (state.mend) abandon(self);
  close(self, state.hops);
  let_go(self, state.out);
}

}  // namespace corolla::actors::route_mending
