#include "actors/node_actor.hpp"

#include <caf/send.hpp>

#include "actors/node_links.hpp"
#include "actors/node_publish.hpp"
#include "actors/node_sessions.hpp"
#include "actors/node_state.hpp"
#include "actors/probe_actor.hpp"
#include "actors/spawn.hpp"

namespace corolla::actors {
namespace {

constexpr auto answer_timeout = std::chrono::seconds{5};
/// The directory gets so long to tell the swarm that this node is leaving.
constexpr auto withdraw_timeout = std::chrono::seconds{1};
/// Links get so long to say goodbye before the node ends without them.
constexpr auto stop_timeout = std::chrono::milliseconds{1500};

// -- status and end -----------------------------------------------------------------------------------------------

caf::result<node_status> status(node_pointer self) {
  auto& state = self->state;
  node_status result;
  result.peer = state.settings->link->self;
  result.address = state.address;
  result.links = static_cast<uint32_t>(state.links.size());
  result.sessions = static_cast<uint32_t>(state.sessions.size());
  result.refused_opens = state.refused_opens;
  result.log_room = state.log_room;
  if (!state.settings->served) return result;
  auto promise = self->make_response_promise<node_status>();
  self->request(state.settings->served->block, answer_timeout, status_atom::value)
      .then(
          [result, promise](const block_status& block) mutable {
            result.block = block;
            promise.deliver(std::move(result));
          },
          [promise](caf::error& reason) mutable { promise.deliver(std::move(reason)); });
  return promise;
}

void end(node_pointer self) {
  auto& settings = *self->state.settings;
  if (settings.served) self->send_exit(settings.served->block, caf::exit_reason::user_shutdown);
  self->send_exit(settings.directory, caf::exit_reason::user_shutdown);
  self->send_exit(settings.dialer, caf::exit_reason::user_shutdown);
  self->send_exit(self->state.probe, caf::exit_reason::user_shutdown);
  self->quit(self->state.failure);
}

void leave(node_pointer self) {
  sessions::close_all(self);
  links::close_all(self);
  if (self->state.links.empty()) end(self);
}

void stop(node_pointer self) {
  auto& state = self->state;
  if (state.stopping) return;
  state.stopping = true;
  // First, so that whoever is answered below sees why.
  *state.settings->stop = true;
  state.settings->stops_dials->raise();
  sessions::refuse_openings(self);
  links::give_up(self);
  publishing::give_up(self);
  if (state.acceptor) self->send_exit(state.acceptor, caf::exit_reason::user_shutdown);
  // First of all, so that nobody plans over this node again because of what ends now.
  self->request(state.settings->directory, withdraw_timeout, withdraw_atom::value)
      .then([self](taken) { leave(self); }, [self](caf::error&) { leave(self); });
  self->delayed_send(self, stop_timeout, tick_atom::value);
}

caf::result<uint32_t> drain(node_pointer self) {
  auto& state = self->state;
  if (state.stopping) return uint32_t{0};
  const auto running = sessions::running(self);
  if (running == 0) {
    stop(self);
    return running;
  }
  if (!std::exchange(state.draining, true)) {
    if (state.published) publishing::announce(self);
    sessions::refuse_openings(self);
    sessions::tell_leaving(self);
    self->delayed_send(self, state.settings->drain_timeout, stop_atom::value);
  }
  return running;
}

/// A node that has lost an actor of its own cannot do its work any more, and another one in its place could not either:
/// weights would have to be read again.  Whoever started it hears why it ends.
bool lost_its_own(node_pointer self, const caf::down_msg& message) {
  auto& state = self->state;
  auto& settings = *state.settings;
  const char* what = settings.served && message.source == settings.served->block ? "the blocks"
                     : message.source == settings.directory                      ? "the directory"
                     : message.source == settings.dialer                         ? "the dialer"
                     : message.source == state.probe                             ? "the probe"
                                                                                 : nullptr;
  if (what == nullptr) return false;
  if (!state.stopping) {
    state.failure =
        make_error(errc::compute_failed, std::string{what} + " of this node failed: " + sentence(message.reason));
    stop(self);
  }
  return true;
}

void went_down(node_pointer self, const caf::down_msg& message) {
  if (lost_its_own(self, message)) return;
  if (links::down(self, message)) {
    if (self->state.stopping && self->state.links.empty()) end(self);
    return;
  }
  sessions::ended(self, message.source);
  if (self->state.draining && sessions::running(self) == 0) stop(self);
}

node_actor::behavior_type node(node_pointer self, const node_settings& settings) {
  self->state.settings = settings;
  self->send(settings.directory, connect_atom::value, connector_actor{node_actor{self}});
  self->state.probe = spawn_probe(self->system(), connector_actor{node_actor{self}});
  self->monitor(self->state.probe);
  self->monitor(settings.directory);
  self->monitor(settings.dialer);
  if (settings.served) self->monitor(settings.served->block);
  self->set_down_handler([self](caf::down_msg& message) { went_down(self, message); });
  return {
      [self](listen_atom, const std::string& host, uint16_t port, const std::vector<std::string>& announce) {
        return links::listen(self, host, port, announce);
      },
      [self](connect_atom, const crypto::address& address) { return links::connect(self, address); },
      [self](connect_atom, const peer_id& peer) { return links::connect(self, peer); },
      [self](connect_atom, const peer_id& peer, std::chrono::milliseconds patience) {
        return links::connect(self, peer, patience);
      },
      [self](up_atom, const link_info& info, const peer_actor& peer) { return links::up(self, info, peer); },
      [self](open_atom, open_request& request, const peer_id& client, session_events_actor& events) {
        return sessions::open(self, request, client, std::move(events));
      },
      [self](find_atom, const session_id& session) { return sessions::find(self, session); },
      [self](register_atom, const session_id& session, step_sink_actor& sink) {
        return sessions::add_route(self, session, std::move(sink));
      },
      [self](publish_atom, uint32_t acknowledgements) { return publishing::publish(self, acknowledgements); },
      [self](connect_atom, const crypto::address& address, std::chrono::milliseconds pause) {
        links::keep(self, address, pause);
      },
      [self](tick_atom) { self->state.stopping ? end(self) : publishing::sample(self); },
      [self](status_atom) { return status(self); },
      [self](snapshot_atom, const std::vector<peer_id>& wanted, std::chrono::milliseconds patience) {
        return self->delegate(self->state.probe, snapshot_atom::value, wanted, patience);
      },
      [self](drain_atom) { return drain(self); },
      [self](sessions_atom) { return sessions::list(self); },
      [self](stop_atom) {
        const auto left = sessions::running(self);
        auto& s = self->state;
        if (s.draining && !s.stopping && left > 0 && s.settings->left_behind) s.settings->left_behind(left);
        stop(self);
      }};
}

}  // namespace

node_actor spawn_node(caf::actor_system& system, node_settings settings) {
  return spawn_stateful(system, node, std::move(settings));
}

}  // namespace corolla::actors
