#include "actors/node_actor.hpp"

#include <caf/send.hpp>

#include "actors/node_links.hpp"
#include "actors/node_sessions.hpp"
#include "actors/node_state.hpp"
#include "actors/spawn.hpp"

namespace corolla::actors {
namespace {

constexpr auto answer_timeout = std::chrono::seconds{5};
constexpr auto publish_timeout = std::chrono::seconds{15};
/// Free cache is published when it moved by a quarter, at most so often.
constexpr auto publish_pause = std::chrono::seconds{2};
/// Links get so long to say goodbye before the node ends without them.
constexpr auto stop_timeout = std::chrono::seconds{2};

// -- publishing ---------------------------------------------------------------------------------------------------

server_record record_of(const node_state& state, uint64_t free_tokens) {
  auto& served = *state.settings->served;
  server_record record;
  record.addresses = state.announce;
  record.model_name = served.model_name;
  record.model = served.digests.model;
  record.blocks_digest = model::of_blocks(served.digests, served.blocks);
  record.model_blocks = static_cast<uint32_t>(served.digests.blocks.size());
  record.blocks = served.blocks;
  record.dtype = served.dtype;
  record.cache_tokens = served.cache_tokens;
  record.free_tokens = free_tokens;
  record.steps_per_s = served.steps_per_s;
  record.forward_per_s = served.forward_per_s;
  record.numerics = served.numerics;
  record.software = state.settings->software;
  return record;
}

caf::result<taken> publish(node_pointer self, uint32_t acknowledgements) {
  auto& state = self->state;
  if (!state.settings->served) return make_error(errc::bad_request, "this node serves no blocks");
  auto promise = self->make_response_promise<taken>();
  self->request(state.settings->served->block, answer_timeout, status_atom::value)
      .then(
          [self, acknowledgements, promise](const block_status& block) mutable {
            auto& s = self->state;
            s.published_free = block.free_tokens;
            self->request(
                    s.settings->directory, publish_timeout, publish_atom::value, record_of(s, block.free_tokens),
                    acknowledgements)
                .then(
                    [self, promise](taken done) mutable {
                      self->state.published = true;
                      promise.deliver(done);
                    },
                    [promise](caf::error& reason) mutable { promise.deliver(std::move(reason)); });
          },
          [promise](caf::error& reason) mutable { promise.deliver(std::move(reason)); });
  return promise;
}

/// Sessions came or went: the record follows if the free cache moved enough.
void republish(node_pointer self) {
  auto& state = self->state;
  state.republishing = false;
  if (!state.published || state.stopping) return;
  self->request(state.settings->served->block, answer_timeout, status_atom::value)
      .then(
          [self](const block_status& block) {
            auto& s = self->state;
            auto moved = block.free_tokens > s.published_free ? block.free_tokens - s.published_free
                                                              : s.published_free - block.free_tokens;
            if (moved * 4 < s.settings->served->cache_tokens) return;
            s.published_free = block.free_tokens;
            caf::anon_send(s.settings->directory, publish_atom::value, record_of(s, block.free_tokens), uint32_t{0});
          },
          [](caf::error&) {});
}

void schedule_republish(node_pointer self) {
  auto& state = self->state;
  if (state.republishing || !state.published) return;
  state.republishing = true;
  self->delayed_send(self, publish_pause, tick_atom::value);
}

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
  self->quit();
}

void stop(node_pointer self) {
  auto& state = self->state;
  if (state.stopping) return;
  state.stopping = true;
  if (state.acceptor) self->send_exit(state.acceptor, caf::exit_reason::user_shutdown);
  sessions::close_all(self);
  links::close_all(self);
  if (state.links.empty()) return end(self);
  self->delayed_send(self, stop_timeout, tick_atom::value);
}

void went_down(node_pointer self, const caf::down_msg& message) {
  if (links::down(self, message)) {
    if (self->state.stopping && self->state.links.empty()) end(self);
    return;
  }
  if (sessions::ended(self, message.source)) schedule_republish(self);
}

node_actor::behavior_type node(node_pointer self, const node_settings& settings) {
  self->state.settings = settings;
  self->set_down_handler([self](caf::down_msg& message) { went_down(self, message); });
  return {
      [self](listen_atom, const std::string& host, uint16_t port, const std::vector<std::string>& announce) {
        return links::listen(self, host, port, announce);
      },
      [self](connect_atom, const crypto::address& address) { return links::connect(self, address); },
      [self](connect_atom, const peer_id& peer) { return links::connect(self, peer); },
      [self](up_atom, const link_info& info, const peer_actor& peer) { return links::up(self, info, peer); },
      [self](open_atom, open_request& request, const peer_id& client, session_events_actor& events) {
        auto result = sessions::open(self, request, client, std::move(events));
        schedule_republish(self);
        return result;
      },
      [self](find_atom, const session_id& session, const peer_id& from) { return sessions::find(self, session, from); },
      [self](register_atom, const session_id& session, const peer_id& from, step_sink_actor& sink) {
        return sessions::add_route(self, session, from, std::move(sink));
      },
      [self](publish_atom, uint32_t acknowledgements) { return publish(self, acknowledgements); },
      [self](connect_atom, const crypto::address& address, std::chrono::milliseconds pause) {
        links::keep(self, address, pause);
      },
      [self](tick_atom) { self->state.stopping ? end(self) : republish(self); },
      [self](status_atom) { return status(self); },
      [self](stop_atom) { stop(self); }};
}

}  // namespace

node_actor spawn_node(caf::actor_system& system, node_settings settings) {
  return spawn_stateful(system, node, std::move(settings));
}

}  // namespace corolla::actors
