#include "actors/self_peer.hpp"

#include <deque>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/spawn.hpp"

namespace corolla::actors {
namespace {

constexpr auto find_timeout = std::chrono::seconds{5};

// -- the way to a session of this node ------------------------------------------------------------------------------

struct edge_state {
  edge_state() = default;
  struct waiting_step {
    step what;
    caf::typed_response_promise<taken> answer;
  };
  node_actor node;
  session_id session;
  peer_id from;
  step_sink_actor target;            // null until the first step, when the session is sure to be open
  std::deque<waiting_step> waiting;  // for it
  static constexpr const char* name = "edge";
};
using edge_pointer = edge_actor::stateful_pointer<edge_state>;

void end_edge(edge_pointer self, const caf::error& reason) {
  for (auto& [what, answer] : std::exchange(self->state.waiting, {})) answer.deliver(reason);
  self->quit(reason);
}

void attach(edge_pointer self) {
  self->request(self->state.node, find_timeout, find_atom::value, self->state.session)
      .then(
          [self](step_sink_actor& target) {
            auto& state = self->state;
            state.target = target;
            self->monitor(target);
            for (auto& [what, answer] : std::exchange(state.waiting, {}))
              answer.delegate(state.target, step_atom::value, std::move(what));
          },
          [self](caf::error& reason) { end_edge(self, reason); });
}

edge_actor::behavior_type edge(
    edge_pointer self, node_actor node, const session_id& session, const edge_owner_actor& owner, const peer_id& from) {
  auto& state = self->state;
  state.node = std::move(node);
  state.session = session;
  state.from = from;
  self->monitor(owner);
  self->set_down_handler([self](caf::down_msg& down) { end_edge(self, down.reason); });
  return {
      [self](step_atom, step& s) -> caf::result<taken> {
        auto& here = self->state;
        s.from = here.from;  // as a link stamps it
        if (here.target) return self->delegate(here.target, step_atom::value, std::move(s));
        auto promise = self->make_response_promise<taken>();
        here.waiting.push_back({std::move(s), promise});
        if (here.waiting.size() == 1) attach(self);
        return promise;
      },
      [self](close_atom) { end_edge(self, make_error(errc::cancelled, "the edge was closed")); }};
}

// -- the node -------------------------------------------------------------------------------------------------------

struct self_peer_state {
  self_peer_state() = default;
  static constexpr const char* name = "self_peer";
};
using self_pointer = peer_actor::stateful_pointer<self_peer_state>;

peer_actor::behavior_type self_peer(self_pointer self, const node_actor& node, const peer_id& id) {
  self->monitor(node);
  self->set_down_handler([self](caf::down_msg& down) { self->quit(std::move(down.reason)); });
  return {
      [self, node, id](open_atom, const open_request& request, const session_events_actor& events) {
        auto promise = self->make_response_promise<session_control_actor>();
        self->request(node, request.alloc_timeout + find_timeout, open_atom::value, request, id, events)
            .then(
                [promise](session_actor& session) mutable { promise.deliver(session_control_actor{session}); },
                [promise](caf::error& reason) mutable { promise.deliver(std::move(reason)); });
        return promise;
      },
      [self, node, id](attach_atom, const edge_target& to, const edge_owner_actor& owner) -> edge_actor {
        return spawn_stateful(self->system(), edge, node, to.session, owner, id);
      },
      // Records are the directory's own already.
      [](record_atom, const signed_server_record&) { return taken{}; }, [](snapshot_atom) { return taken{}; },
      [](suspect_atom, const signed_suspicion&) {},
      [self, node](drain_atom) { return self->delegate(node, drain_atom::value); },
      [self, node](sessions_atom) { return self->delegate(node, sessions_atom::value); },
      [](ping_atom) { return link_quality{}; }, [](close_atom, errc, const std::string&) {}};
}

}  // namespace

peer_actor spawn_self_peer(caf::actor_system& system, node_actor node, const peer_id& self) {
  return spawn_stateful(system, self_peer, std::move(node), self);
}

}  // namespace corolla::actors
