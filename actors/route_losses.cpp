// What a route is told of its hops, and what it does about it.
#include <algorithm>
#include <utility>

#include "actors/route_mending.hpp"

namespace corolla::actors::route_mending {
namespace {

/// What nobody else could do better, if it is true.
bool may_be_the_callers(errc code) {
  return code == errc::position_mismatch || code == errc::bad_tensor || code == errc::not_finite ||
         code == errc::too_large || code == errc::bad_request;
}

/// An edge that is lost twice within this time takes its receiver with it.
constexpr auto edge_grace = std::chrono::seconds{10};

/// A substitute is gone, or failed.
void fresh_lost(route_pointer self, size_t index, const caf::error& reason) {
  auto& m = *self->state.mend;
  auto& h = m.fresh[index];
  self->state.excluded.insert(h.plan.peer);
  // What was opened by now is closed by `again`; what is still being opened, when its answer comes.
  again(self, make_error(code_of(reason), named(h) + ": " + sentence(reason)));
}

/// What else ends a session may be its neighbours' fault.
void blame_for(route_pointer self, const peer_id& peer, const session_failed& event) {
  if (event.code == errc::compute_failed) blame(self, peer, event.code);
}

}  // namespace

void blame(route_pointer self, const peer_id& peer, errc code) {
  if (is_offence(code)) self->send(self->state.config->bans, offence_atom::value, peer);
}

void hop_lost(route_pointer self, size_t index, const std::string& why) {
  auto& state = self->state;
  if (state.now != phase::open || state.hops[index].lost) return;
  auto& h = state.hops[index];
  h.lost = true;
  if (index == 0 && state.out) state.out->edge = nullptr;  // what is on its way there is lost with it
  // Edges before and behind it are replaced with it.
  for (const auto into : {index, index + 1}) state.broken.erase(receiver_of(state, into));
  state.loss = named(h) + " of blocks " + to_string(h.plan.blocks) + " was lost: " + why;
  state.refusal = make_error(errc::link_lost, state.loss);
  // Who is lost each time that it was replaced is not asked again at once.
  const bool is_vain = ++state.losses > vain_tries_in_a_row;
  if (!state.mend) {
    if (is_vain) return wait_for_servers(self, state.refusal);
    state.waits_for_servers = false;
    return begin_next(self);
  }
  auto& m = *state.mend;
  if (index >= m.first && index < m.last) {
    // It takes with it what it was to hand over.
    if (m.hands_over) return again(self, state.refusal);
    m.late = m.moves = false;
  } else if (index + 1 == m.first || index == m.last) {
    // Who could not reach it may be of use in a wider gap.
    if (!is_optional(m)) leave_nobody_out(state);
    again(self, state.refusal);
  } else if (is_optional(m) && !m.committing) {
    abandon(self);  // first what cannot wait
    begin_next(self);
  }
}

void replace_once(route_pointer self, size_t index, errc code, const std::string& text) {
  auto& state = self->state;
  if (state.hops[index].lost) return;
  if (state.objected == state.done) return fail(self, make_error(code, named(state.hops[index]) + ": " + text));
  state.objected = state.done;
  hop_lost(self, index, text);
}

bool hop_objects(route_pointer self, size_t index, errc code, const std::string& text) {
  if (!may_be_the_callers(code)) return false;
  replace_once(self, index, code, text);
  // It may be right, and then it is the one before.
  if (code == errc::not_finite && index > 0 && self->state.now == phase::open)
    hop_lost(self, index - 1, "what came from it is not finite");
  return true;
}

void hop_late(route_pointer self, size_t index) {
  auto& state = self->state;
  if (state.mend && state.mend->moves && !state.mend->committing) abandon(self);
  if (state.mend || state.now != phase::open) return;
  if (state.hops[index].lost) return begin_next(self);
  mending m;
  m.first = index;
  m.last = index + 1;
  m.late = true;
  state.excluded.insert(state.hops[index].plan.peer);
  begin(self, std::move(m));
}

void edge_broken(route_pointer self, size_t into, const std::string& why) {
  auto& state = self->state;
  if (state.now != phase::open) return;
  const auto now = self->clock().now();
  const auto& to = receiver_of(state, into);
  const auto replaced = state.edges_replaced.find(to);
  const bool again_so_soon = replaced != state.edges_replaced.end() && now - replaced->second < edge_grace;
  if (again_so_soon && into < state.hops.size()) return hop_lost(self, into, why);
  if (again_so_soon && into > 0) return hop_lost(self, into - 1, why);
  state.edges_replaced.insert_or_assign(to, now);
  state.broken.emplace(to, why);
  if (state.mend && is_optional(*state.mend) && !state.mend->committing) abandon(self);  // first what cannot wait
  begin_next(self);
}

void output_came(route_pointer self) {
  auto& state = self->state;
  state.vain_tries = state.losses = state.waits = 0;
  state.ask_again = alarm::never;
  if (state.mend && state.mend->late && !state.mend->committing) {
    abandon(self);
    leave_nobody_out(state);
  }
  begin_next(self);
}

void peer_lost(route_pointer self, const caf::actor_addr& peer, const caf::error& reason) {
  auto& state = self->state;
  state.may_be_alone = true;
  for (size_t i = 0; i < state.hops.size(); ++i) {
    if (state.hops[i].peer.address() != peer) continue;
    blame(self, state.hops[i].plan.peer, code_of(reason));
    hop_lost(self, i, sentence(reason));
  }
  if (!state.mend) return;
  for (size_t i = 0; i < state.mend->fresh.size(); ++i) {
    auto& h = state.mend->fresh[i];
    if (!h.peer || h.peer.address() != peer || !h.control) continue;
    blame(self, h.plan.peer, code_of(reason));
    return fresh_lost(self, i, reason);
  }
}

void session_ended(route_pointer self, const session_failed& event) {
  auto& state = self->state;
  const auto reason = make_error(event.code, event.text);
  for (size_t i = 0; i < state.hops.size(); ++i)
    if (state.hops[i].session == event.session) {
      if (hop_objects(self, i, event.code, event.text)) return;
      blame_for(self, state.hops[i].plan.peer, event);
      return hop_lost(self, i, event.text);
    }
  if (!state.mend) return;
  for (size_t i = 0; i < state.mend->fresh.size(); ++i)
    if (state.mend->fresh[i].session == event.session) {
      blame_for(self, state.mend->fresh[i].plan.peer, event);
      return fresh_lost(self, i, reason);
    }
}

void session_restored_there(route_pointer self, const session_restored& event) {
  auto* m = current(self, event.epoch);
  if (m == nullptr || m->committing) return;
  bool all = true;
  for (auto& h : m->fresh) {
    if (h.session == event.session) h.restored = true;
    all = all && h.restored;
  }
  if (all) commit(self);
}

void edge_reported(route_pointer self, const edge_lost& event) {
  auto& state = self->state;
  if (state.mend) {
    auto& m = *state.mend;
    for (size_t i = 0; i < m.fresh.size(); ++i)
      if (m.fresh[i].session == event.session) {
        // A substitute that cannot reach what comes after it is of no use; the next one may be.
        if (i + 1 == m.fresh.size() && !feeds_client(state, m)) state.cut_off.insert(state.hops[m.last].session);
        return fresh_lost(self, i, make_error(event.code, event.text));
      }
    if (event.epoch == m.epoch && m.hands_over && state.hops[m.first].session == event.session)
      return hand_over_failed(self, m.epoch, make_error(event.code, event.text));
    if (event.epoch == m.epoch && !fed_by_client(m) && state.hops[m.first - 1].session == event.session)
      return source_failed(self, m.epoch, make_error(errc::unreachable, event.text));
  }
  for (size_t i = 0; i < state.hops.size(); ++i) {
    if (state.hops[i].session != event.session) continue;
    const bool is_last = i + 1 == state.hops.size();
    // What is being replaced takes its edges with it.
    if (state.hops[i].lost || (!is_last && state.hops[i + 1].lost)) return;
    if (event.epoch != (is_last ? state.sink_epoch : state.hops[i + 1].epoch)) return;
    if (state.mend && state.mend->first <= i + 1 && i + 1 <= state.mend->last) {
      if (!state.mend->moves || state.mend->committing) return;
      abandon(self);  // first what cannot wait
    }
    if (!is_last && event.code == errc::unknown_session) return hop_lost(self, i + 1, event.text);
    return edge_broken(self, i + 1, event.text);
  }
}

void session_leaving_there(route_pointer self, const session_leaving& event) {
  auto& state = self->state;
  // Once: a server that goes on saying so must not make its client plan each time.
  bool is_news = false;
  auto mark = [&](hop& h) {
    if (h.session == event.session) is_news = !std::exchange(h.leaving, true) || is_news;
  };
  std::for_each(state.hops.begin(), state.hops.end(), mark);
  if (state.mend) std::for_each(state.mend->fresh.begin(), state.mend->fresh.end(), mark);
  if (!is_news) return;
  state.move_waits = false;
  state.moves_in_vain = 0;
  begin_next(self);
}

void substitute_refused(route_pointer self, const caf::error& reason) {
  if (self->state.mend && !self->state.mend->fresh.empty()) fresh_lost(self, 0, reason);
}

void look_at_deadline(route_pointer self) {
  auto& state = self->state;
  if (!state.mend || state.mend->committing || self->clock().now() < state.mend->due) return;
  if (state.mend->opens_left > 0) return opens_overdue(self);
  auto& fresh = state.mend->fresh;
  for (size_t i = 0; i < fresh.size(); ++i)
    if (!fresh[i].restored) return fresh_lost(self, i, make_error(errc::timed_out, "it was not restored in time"));
}

void servers_changed(route_pointer self) {
  auto& state = self->state;
  state.move_waits = false;
  if (state.waits_for_servers && self->clock().now() >= state.ask_again) {
    state.ask_again = alarm::never;
    leave_nobody_out(state);
  }
  // Those that were lost, or left out, have a pause whatever becomes of others.
  if (state.waits_for_servers && state.losses > vain_tries_in_a_row && state.ask_again != alarm::never) return;
  const bool waited = std::exchange(state.waits_for_servers, false);
  if (waited && is_opening(state)) return begin(self, {});
  begin_next(self);
}

}  // namespace corolla::actors::route_mending
