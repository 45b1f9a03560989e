#include "actors/wire/peer.hpp"

#include <caf/actor_system.hpp>

#include "actors/spawn.hpp"
#include "actors/wire/peer_records.hpp"
#include "actors/wire/peer_requests.hpp"
#include "actors/wire/peer_service.hpp"
#include "actors/wire/peer_state.hpp"

namespace corolla::actors::wire {

void refuse(peer_pointer self, uint64_t stream, errc code, std::string_view text) {
  refused_body body;
  body.code.value = code;
  body.text.value = std::string{text.substr(0, 512)};
  reply(self, frame_type::refused, stream, body, /*end_stream=*/stream != 0);
}

void refuse_step(peer_pointer self, uint64_t stream, uint64_t seq, errc code, std::string_view text, uint64_t last) {
  step_refused_body body;
  body.seq = seq;
  body.last = last;
  body.code.value = code;
  body.text.value = std::string{text.substr(0, 512)};
  reply(self, frame_type::step_refused, stream, body);
}

void end_link(peer_pointer self, std::string text) {
  self->send(self->state.link, close_atom::value, errc::protocol_violation, std::move(text));
}

void consumed(peer_pointer self, uint64_t stream, const incoming& message) {
  if (message.payload)
    self->send(self->state.link, consumed_atom::value, stream, static_cast<uint32_t>(message.payload->size()));
}

namespace {

constexpr auto node_timeout = std::chrono::seconds{30};
/// Small messages that a peer may send before the node has taken it.
constexpr size_t max_early_messages = 1024;

/// Decodes the body and hands it on; what cannot be read ends the link.
template <class Body, class Handler>
void with(peer_pointer self, const incoming& message, Handler handler) {
  if (auto body = decode_body<Body>(message.body)) return handler(*body);
  end_link(self, "a message of type " + std::to_string(static_cast<int>(message.type)) + " cannot be read");
}

void dispatch(peer_pointer self, incoming& message) {
  auto stream = message.stream;
  switch (message.type) {
    case frame_type::open:
      return with<open_body>(self, message, [&](auto& body) { serve_open(self, stream, body); });
    case frame_type::opened:
      return with<opened_body>(self, message, [&](auto& body) { take_opened(self, stream, body); });
    case frame_type::refused:
      return with<refused_body>(self, message, [&](auto& body) { take_refused(self, stream, body); });
    case frame_type::close:
      return with<close_body>(self, message, [&](auto&) { close_served(self, stream); });
    case frame_type::accept:
      return with<accept_body>(self, message, [&](auto& body) { serve_accept(self, stream, body); });
    case frame_type::prompts:
      return serve_prompts(self, message);
    case frame_type::restore:
      return with<edge_body>(self, message, [&](auto& body) { serve_restore(self, stream, body); });
    case frame_type::relink:
      return with<edge_body>(self, message, [&](auto& body) { serve_relink(self, stream, body); });
    case frame_type::hand_over:
      return with<hand_over_body>(self, message, [&](auto& body) { serve_hand_over(self, stream, body); });
    case frame_type::prepare:
      return with<edge_body>(self, message, [&](auto& body) { serve_prepare(self, stream, body); });
    case frame_type::drain:
      return with<drain_body>(self, message, [&](auto& body) { serve_drain(self, body); });
    case frame_type::drain_reply:
      return with<drain_reply_body>(self, message, [&](auto& body) { take_drain_reply(self, body); });
    case frame_type::sessions:
      return with<sessions_body>(self, message, [&](auto& body) { serve_sessions(self, body); });
    case frame_type::sessions_reply:
      return with<sessions_reply_body>(self, message, [&](auto& body) { take_sessions(self, body); });
    case frame_type::status:
      return with<status_body>(self, message, [&](auto&) { serve_status(self, stream); });
    case frame_type::answer:
      return with<answer_body>(self, message, [&](auto& body) { take_answer(self, stream, body); });
    case frame_type::status_reply:
      return with<status_reply_body>(self, message, [&](auto& body) { take_status(self, stream, body); });
    case frame_type::applied:
    case frame_type::failed:
    case frame_type::restored:
    case frame_type::edge_lost:
    case frame_type::leaving:
      return take_events(self, message);
    case frame_type::attach:
      return with<attach_body>(self, message, [&](auto& body) { serve_attach(self, stream, body); });
    case frame_type::step:
      return serve_step(self, message);
    case frame_type::step_refused:
      return with<step_refused_body>(self, message, [&](auto& body) { take_step_refused(self, stream, body); });
    case frame_type::record:
    case frame_type::suspect:
    case frame_type::digest:
    case frame_type::digest_done:
    case frame_type::snapshot:
    case frame_type::snapshot_end:
      return take_directory_frame(self, message);
    case frame_type::record_taken:
      return with<record_taken_body>(self, message, [&](auto& body) { take_record_taken(self, body); });
    default:
      return end_link(
          self, "a message of type " + std::to_string(static_cast<int>(message.type)) + " has no place here");
  }
}

void stream_ended(peer_pointer self, uint64_t stream) {
  auto found = self->state.streams.find(stream);
  if (found == self->state.streams.end()) return;
  if (std::holds_alternative<served_stream>(found->second)) return close_served(self, stream);
  if (auto edge = std::get_if<incoming_edge>(&found->second); edge && !edge->target) {
    edge->ended = true;  // its steps still wait for their session
    return;
  }
  if (auto use = std::get_if<opened_stream>(&found->second); use && !use->control)
    use->answer.deliver(make_error(errc::link_lost, "the peer ended the stream of an open"));
  self->state.streams.erase(found);
}

void dispatch_or_end(peer_pointer self, incoming& message) {
  if (message.type == frame_type::end_stream) return stream_ended(self, message.stream);
  dispatch(self, message);
}

/// The node has this peer among its links: what the peer sent meanwhile has its turn.  Only then is it answered, so
/// that whoever waits for an answer knows that it was taken.
void taken_by_node(peer_pointer self) {
  self->state.is_taken = true;
  auto early = std::move(self->state.early);
  for (auto& message : early) dispatch_or_end(self, message);
}

void take(peer_pointer self, incoming& message) {
  if (self->state.is_taken) return dispatch_or_end(self, message);
  if (self->state.early.size() >= max_early_messages) return end_link(self, "too much before the link was taken");
  self->state.early.push_back(std::move(message));
}

void reply_end(peer_pointer self, uint64_t stream) {
  outgoing end;
  end.type = frame_type::end_stream;
  end.stream = stream;
  end.end_stream = true;
  caf::anon_send(self->state.link, frame_atom::value, std::move(end));
}

/// Something local that a stream stood for has ended.
void local_ended(peer_pointer self, const caf::actor_addr& source) {
  std::erase_if(self->state.streams, [&](auto& entry) {
    auto is = [&](auto& handle) { return handle && handle.address() == source; };
    if (auto use = std::get_if<served_stream>(&entry.second); use && is(use->session)) {
      // Its events proxy has said why, and ended the stream, if the session ended by itself.
      return true;
    }
    if (auto use = std::get_if<opened_stream>(&entry.second)) {
      // Nobody is left who could close the session, open already or not.
      if (is(use->events)) reply(self, frame_type::close, entry.first, close_body{}, /*end_stream=*/true);
      return is(use->control) || is(use->events);
    }
    if (auto use = std::get_if<outgoing_edge>(&entry.second); use && is(use->owner)) {
      // Its proxy may be gone already: nobody had it any more but the owner.
      reply_end(self, entry.first);
      return true;
    }
    return false;
  });
}

void fail_all(peer_pointer self, const caf::error& reason) {
  auto& state = self->state;
  for (auto& [stream, use] : state.streams)
    if (auto opened = std::get_if<opened_stream>(&use); opened && !opened->control) opened->answer.deliver(reason);
  for (auto& [tag, answer] : state.records) answer.deliver(reason);
  for (auto& answer : state.snapshots) answer.deliver(reason);
  for (auto& [tag, answer] : state.digests) answer.deliver(reason);
  for (auto& [tag, answer] : state.drains) answer.deliver(reason);
  for (auto& [tag, asked] : state.listings) asked.answer.deliver(reason);
  self->quit(reason);
}

peer_and_sink_actor::behavior_type peer(peer_pointer self, link_actor link, link_info info, peer_config config) {
  auto& state = self->state;
  state.link = std::move(link);
  state.info = std::move(info);
  state.config = std::move(config);
  state.next_stream = state.info.dialled ? 1 : 2;
  self->monitor(state.link);
  self->set_down_handler([self](caf::down_msg& down) {
    if (down.source == self->state.link.address()) return fail_all(self, down.reason);
    local_ended(self, down.source);
  });
  self->request(state.config.node, node_timeout, up_atom::value, state.info, peer_actor{self})
      .then([self](taken) { taken_by_node(self); }, [self](caf::error& reason) { end_link(self, sentence(reason)); });
  return {
      [self](open_atom, const open_request& request, const session_events_actor& events) {
        return open_there(self, request, events);
      },
      [self](attach_atom, const edge_target& to, const edge_owner_actor& owner) {
        return spawn_edge_proxy(self->system(), self->state.link, attacher_actor{self}, to, owner);
      },
      [self](record_atom, const signed_server_record& record) { return hand_over(self, record); },
      [self](snapshot_atom) { return ask_for_what_is_missing(self); },
      [self](suspect_atom, const signed_suspicion& suspicion) { send_suspicion(self, suspicion); },
      [self](drain_atom) { return ask_to_leave(self); },
      [self](sessions_atom) { return ask_for_sessions(self); },
      [self](ping_atom) { return self->delegate(self->state.link, ping_atom::value); },
      [self](close_atom, errc code, const std::string& text) {
        self->send(self->state.link, close_atom::value, code, text);
      },
      [self](frame_atom, incoming& message) { take(self, message); },
      [self](ended_atom, uint64_t stream) {
        incoming end;
        end.type = frame_type::end_stream;
        end.stream = stream;
        take(self, end);
      },
      [self](begin_atom, const edge_target& to, const edge_owner_actor& owner) { return begin_edge(self, to, owner); },
      [self](tick_atom, uint64_t stream) { open_overdue(self, stream); }};
}

}  // namespace

peer_and_sink_actor spawn_peer(caf::actor_system& system, link_actor link, link_info info, peer_config config) {
  return spawn_stateful(system, peer, std::move(link), std::move(info), std::move(config));
}

}  // namespace corolla::actors::wire
