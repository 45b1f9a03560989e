// The half of a session that deals with where its outputs go.
#include "actors/session_state.hpp"

namespace corolla::actors::edges {
namespace {

constexpr auto find_timeout = std::chrono::seconds{10};
/// Edges that may be looked for at a time: a route gives up some on its way, and a hostile client would never stop.
constexpr uint32_t most_found_at_once = 16;
/// A next hop whose link was lost is unknown here until it is heard of again, which takes a round of the directories.
constexpr auto return_time = std::chrono::milliseconds{2000};

std::string name_of(session_pointer self, const peer_id& next) {
  return (self->state.config.client == next ? "the client " : "the next hop ") + next.to_string();
}

/// The way out that has this edge, or null: an answer may come after the edge was given up.
std::optional<outlet>* way_of(session_pointer self, uint64_t epoch) {
  auto& state = self->state;
  for (auto* way : {&state.out, &state.substitute})
    if (*way && (*way)->to().epoch == epoch) return way;
  return nullptr;
}

/// An edge is of no more use.  The session lives on, and its client decides what comes next.
void lost(session_pointer self, uint64_t epoch, errc code, std::string text) {
  auto* way = way_of(self, epoch);
  if (way == nullptr || !(*way)->edge) return;
  auto& state = self->state;
  let_go(self, (*way)->edge);
  if (way == &state.out) restart(self, state.next_due, 0);
  if (way == &state.substitute) way->reset();
  self->send(state.config.events, edge_lost_atom::value, edge_lost{state.config.id, epoch, code, std::move(text)});
}

void refused(session_pointer self, uint64_t epoch, uint64_t seq, uint64_t last, errc code, const std::string& text) {
  auto* way = way_of(self, epoch);
  if (way == nullptr) return;
  if (code == errc::gap && (*way)->rewind(last)) return pump(self);
  lost(self, epoch, code, name_of(self, (*way)->to().peer) + " refused step " + std::to_string(seq) + ": " + text);
}

void took(session_pointer self, uint64_t epoch) {
  auto* way = way_of(self, epoch);
  if (way == nullptr) return;
  auto& state = self->state;
  (*way)->taken();
  if (way == &state.out) restart(self, state.next_due, (*way)->untaken());
  pump(self);
  ask_block(self);
}

void did_not_take(session_pointer self, uint64_t epoch, uint64_t seq, const caf::error& reason) {
  auto* way = way_of(self, epoch);
  if (way == nullptr) return;
  (*way)->taken();
  // Errors of CAF's own say that the actor on the other side is gone, or silent.
  const bool is_gone = !reason || reason.category() == caf::atom("system") || reason.category() == caf::atom("exit");
  refused(self, epoch, seq, last_of(reason), is_gone ? errc::link_lost : code_of(reason), sentence(reason));
}

void pump(session_pointer self, std::optional<outlet>& way) {
  auto& state = self->state;
  while (way) {
    state.settle();
    auto s = way->next(*state.log);
    if (!s) return;
    if (&way == &state.out && way->untaken() == 1) restart(self, state.next_due, 1);
    const auto epoch = way->to().epoch, seq = s->seq;
    self->request(way->edge, caf::infinite, step_atom::value, std::move(*s))
        .then(
            [self, epoch](const taken&) { took(self, epoch); },
            [self, epoch, seq](const caf::error& reason) { did_not_take(self, epoch, seq, reason); });
  }
}

}  // namespace

void let_go(session_pointer self, edge_actor& edge) {
  if (!edge) return;
  self->demonitor(edge.address());
  self->send(edge, close_atom::value);
  edge = nullptr;
}

caf::result<taken> find(
    session_pointer self, const edge_target& to, use_edge then, std::chrono::milliseconds patience) {
  auto& state = self->state;
  if (state.finding.size() >= most_found_at_once) return make_error(errc::overloaded, "other edges are on their way");
  const auto turn = ++state.last_find;
  auto promise = self->make_response_promise<taken>();
  state.finding.emplace(turn, promise);
  auto failed = [self, turn](caf::error& reason) {
    if (auto waiting = self->state.finding.extract(turn)) waiting.mapped().deliver(std::move(reason));
  };
  auto found = [self, turn, then = std::move(then)](const edge_actor& edge) {
    if (auto waiting = self->state.finding.extract(turn)) return then(edge, waiting.mapped());
    self->send(edge, close_atom::value);
  };
  self->request(self->state.config.connector, find_timeout + patience, connect_atom::value, to.peer, patience)
      .then(
          [self, to, found, failed](const peer_actor& peer) {
            self->request(peer, find_timeout, attach_atom::value, to, edge_owner_actor{self}).then(found, failed);
          },
          failed);
  return promise;
}

void pump(session_pointer self) {
  pump(self, self->state.out);
  pump(self, self->state.substitute);
}

void attach_first(session_pointer self, const edge_actor& edge) {
  self->monitor(edge);
  self->state.out->edge = edge;
  pump(self);
  ask_block(self);
}

caf::result<accepted> accept(session_pointer self, const accept_request& request) {
  auto& state = self->state;
  if (state.restoring) return make_error(errc::stale, "the session is being restored");
  if (request.epoch <= state.order->epoch())
    return make_error(
        errc::stale, "epoch " + std::to_string(request.epoch) + " is not above " +
                         std::to_string(state.order->epoch()) + ", which is in force");
  state.order->enter(request.epoch);
  state.config.upstream = request.upstream;
  return accepted{state.order->last(), state.order->position()};
}

/// A way to a substitute, in the place of any other.
static caf::result<taken> add_substitute(session_pointer self, outlet way) {
  auto& state = self->state;
  const auto to = way.to();
  if (way_of(self, to.epoch) != nullptr) return make_error(errc::stale, "an edge of this epoch is there already");
  if (state.substitute) let_go(self, state.substitute->edge);
  state.substitute = std::move(way);
  return find(self, to, [self, to](const edge_actor& edge, caf::typed_response_promise<taken>& promise) {
    auto& substitute = self->state.substitute;
    if (!substitute || substitute->to() != to || substitute->edge) {
      self->send(edge, close_atom::value);
      promise.deliver(make_error(errc::stale, "another substitute is restored by now"));
      return;
    }
    self->monitor(edge);
    substitute->edge = edge;
    pump(self);
    promise.deliver(taken{});
  });
}

caf::result<taken> prepare(session_pointer self, const edge_target& to) {
  return add_substitute(self, outlet{to});
}

caf::result<taken> restore(session_pointer self, const restore_request& request) {
  auto& state = self->state;
  const auto pieces = state.log->restore(request.done);
  if (state.restoring || !pieces || request.done > state.log->last())
    return make_error(errc::gap, "the rows after step " + std::to_string(request.done) + " are not kept here");
  outlet way{request.to};
  way.restore(request.done, pieces->empty() ? 0 : pieces->back().position + pieces->back().tokens);
  return add_substitute(self, std::move(way));
}

caf::result<taken> relink(session_pointer self, const relink_request& request) {
  auto& state = self->state;
  if (request.last < state.log->done() || request.last > state.log->last())
    return make_error(
        errc::gap, "step " + std::to_string(request.last + 1) + " was asked for, and steps " +
                       std::to_string(state.log->done() + 1) + " to " + std::to_string(state.log->last()) +
                       " are kept here");
  if (request.to.epoch <= state.out->to().epoch)
    return make_error(
        errc::stale, "epoch " + std::to_string(request.to.epoch) + " is not above " +
                         std::to_string(state.out->to().epoch) + ", which is in force");
  let_go(self, state.out->edge);
  restart(self, state.next_due, 0);
  if (state.substitute && state.substitute->to() == request.to && state.substitute->edge) {
    state.out = std::exchange(state.substitute, std::nullopt);
    state.out->begin_after(request.last);
    pump(self);
    ask_block(self);
    return taken{};
  }
  const bool is_known = state.out->to().session == request.to.session;
  state.out.emplace(request.to);
  state.out->begin_after(request.last);
  auto attach = [self, to = request.to](const edge_actor& edge, caf::typed_response_promise<taken>& promise) {
    auto& way = self->state.out;
    if (way->to() != to || way->edge) {
      self->send(edge, close_atom::value);
      promise.deliver(make_error(errc::stale, "another edge is in force by now"));
      return;
    }
    attach_first(self, edge);
    promise.deliver(taken{});
  };
  return find(self, request.to, std::move(attach), is_known ? return_time : std::chrono::milliseconds{0});
}

void refused(session_pointer self, const step_refused& why) {
  refused(self, why.epoch, why.seq, why.last, why.code, why.text);
}

bool down(session_pointer self, const caf::down_msg& down) {
  for (auto* way : {&self->state.out, &self->state.substitute})
    if (*way && (*way)->edge && (*way)->edge.address() == down.source) {
      const auto to = (*way)->to();
      lost(self, to.epoch, errc::link_lost, name_of(self, to.peer) + " is gone: " + sentence(down.reason));
      return true;
    }
  return false;
}

void overdue(session_pointer self) {
  auto& state = self->state;
  const auto to = state.out->to();
  lost(
      self, to.epoch, errc::timed_out,
      name_of(self, to.peer) + " takes no more steps: no answer within " +
          std::to_string(state.config.step_timeout.count()) + " ms");
}

}  // namespace corolla::actors::edges
