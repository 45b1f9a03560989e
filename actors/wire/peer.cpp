#include "actors/wire/peer.hpp"

#include <deque>
#include <map>
#include <unordered_map>
#include <variant>

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/spawn.hpp"
#include "actors/wire/convert.hpp"
#include "actors/wire/messages.hpp"
#include "actors/wire/proxies.hpp"

namespace corolla::actors::wire {
namespace {

using std::chrono::milliseconds;

/// How long this node's own actors may take to answer what a peer asked.
constexpr auto local_timeout = std::chrono::seconds{30};
/// How long a peer may take beyond the time that it was allowed to wait for room.
constexpr auto remote_timeout = std::chrono::seconds{20};
/// A step may wait so long at its session before it is taken: the route gives up sooner.
constexpr auto taken_timeout = std::chrono::minutes{10};
/// Steps that may wait while the session they are for is looked up.
constexpr size_t max_waiting_steps = 64;

/// A session that this node opened at the peer.
struct opened_stream {
  session_id session;
  session_events_actor events;
  caf::typed_response_promise<session_control_actor> answer;
  session_control_actor control;  // null until the peer has answered
};
/// A session that the peer opened here.
struct served_stream {
  session_actor session;  // null while the node is opening it
  session_events_actor events;
};
/// Steps to a session at the peer.
struct outgoing_edge {
  edge_owner_actor owner;
};
/// Steps from the peer to a session here.
struct incoming_edge {
  step_sink_actor target;  // null while it is looked up
  std::deque<incoming> waiting;
  bool ended = false;
};
using stream_use = std::variant<opened_stream, served_stream, outgoing_edge, incoming_edge>;

struct peer_state {
  peer_state() = default;
  link_actor link;
  link_info info;
  peer_config config;
  uint64_t next_stream = 0;
  uint64_t next_tag = 1;
  std::map<uint64_t, stream_use> streams;
  std::unordered_map<uint64_t, caf::typed_response_promise<taken>> records;  // by tag
  std::deque<caf::typed_response_promise<taken>> snapshots;
  static constexpr const char* name = "peer";
};
using self_pointer = peer_and_sink_actor::stateful_pointer<peer_state>;

template <class Body>
void reply(self_pointer self, frame_type type, uint64_t stream, const Body& body, bool end_stream = false) {
  outgoing message;
  message.type = type;
  message.stream = stream;
  message.body = encode_body(body);
  message.end_stream = end_stream;
  caf::anon_send(self->state.link, frame_atom::value, std::move(message));  // overflow ends the link by itself
}

void refuse(self_pointer self, uint64_t stream, errc code, std::string_view text) {
  refused_body body;
  body.code.value = code;
  body.text.value = std::string{text.substr(0, 512)};
  reply(self, frame_type::refused, stream, body, /*end_stream=*/stream != 0);
}

void refuse_step(self_pointer self, uint64_t stream, uint64_t seq, errc code, std::string_view text) {
  step_refused_body body;
  body.seq = seq;
  body.code.value = code;
  body.text.value = std::string{text.substr(0, 512)};
  reply(self, frame_type::step_refused, stream, body);
}

/// The sentence alone: the code travels beside it.
std::string sentence(const caf::error& reason) {
  auto text = describe(reason);
  auto prefix = std::string{to_string(code_of(reason))} + ": ";
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

void end_link(self_pointer self, std::string text) {
  self->send(self->state.link, close_atom::value, errc::protocol_violation, std::move(text));
}

template <class Use>
Use* use_of(self_pointer self, uint64_t stream) {
  auto found = self->state.streams.find(stream);
  return found == self->state.streams.end() ? nullptr : std::get_if<Use>(&found->second);
}

void consumed(self_pointer self, uint64_t stream, const incoming& message) {
  if (message.payload)
    self->send(
      self->state.link, consumed_atom::value, stream, static_cast<uint32_t>(message.payload->size()));
}

// -- what this node asks of the peer ------------------------------------------------------------------------------

uint64_t new_stream(self_pointer self) {
  auto stream = self->state.next_stream;
  self->state.next_stream += 2;
  return stream;
}

caf::result<session_control_actor> open_there(self_pointer self, const open_request& request, session_events_actor events) {
  auto stream = new_stream(self);
  auto answer = self->make_response_promise<session_control_actor>();
  self->state.streams.emplace(stream, opened_stream{request.session, std::move(events), answer, {}});
  reply(self, frame_type::open, stream, to_wire(request));
  self->delayed_send(self, request.alloc_timeout + remote_timeout, tick_atom::value, stream);
  return answer;
}

void open_overdue(self_pointer self, uint64_t stream) {
  auto use = use_of<opened_stream>(self, stream);
  if (!use || use->control) return;
  use->answer.deliver(make_error(errc::timed_out, self->state.info.peer.to_string() + " did not answer an open in time"));
  reply(self, frame_type::close, stream, close_body{}, /*end_stream=*/true);
  self->state.streams.erase(stream);
}

/// The first step of an edge is there: its session at the peer is open by now.
uint64_t begin_edge(self_pointer self, const session_id& session, edge_owner_actor owner) {
  auto stream = new_stream(self);
  attach_body body;
  body.session.bytes = session.bytes;
  reply(self, frame_type::attach, stream, body);
  self->monitor(owner);
  self->state.streams.emplace(stream, outgoing_edge{std::move(owner)});
  return stream;
}

caf::result<taken> hand_over(self_pointer self, const signed_server_record& record) {
  auto tag = self->state.next_tag++;
  auto answer = self->make_response_promise<taken>();
  self->state.records.emplace(tag, answer);
  reply(self, frame_type::record, 0, to_wire(record, tag));
  return answer;
}

caf::result<taken> ask_snapshot(self_pointer self) {
  auto answer = self->make_response_promise<taken>();
  self->state.snapshots.push_back(answer);
  reply(self, frame_type::snapshot, 0, snapshot_body{});
  return answer;
}

// -- what the peer asks of this node ------------------------------------------------------------------------------

void serve_open(self_pointer self, uint64_t stream, const open_body& body) {
  if (self->state.streams.contains(stream)) return end_link(self, "a stream was opened twice");
  auto request = from_wire(body);
  if (auto error = std::get_if<conversion_error>(&request)) return refuse(self, stream, error->code, error->text);
  auto& wanted = std::get<open_request>(request);
  auto events = spawn_events_proxy(self->system(), self->state.link, stream);
  self->state.streams.emplace(stream, served_stream{{}, events});
  auto timeout = wanted.alloc_timeout + local_timeout;
  auto session = wanted.session;
  self->request(self->state.config.node, timeout, open_atom::value, std::move(wanted), self->state.info.peer, events)
    .then(
      [self, stream, session](session_actor& opened) {
        auto use = use_of<served_stream>(self, stream);
        // The client has closed it meanwhile.
        if (!use) return self->send(opened, close_atom::value);
        use->session = opened;
        self->monitor(opened);
        opened_body answer;
        answer.session.bytes = session.bytes;
        reply(self, frame_type::opened, stream, answer);
      },
      [self, stream, events](caf::error& reason) {
        caf::anon_send_exit(events, caf::exit_reason::user_shutdown);
        if (!use_of<served_stream>(self, stream)) return;
        self->state.streams.erase(stream);
        refuse(self, stream, code_of(reason), sentence(reason));
      });
}

void close_served(self_pointer self, uint64_t stream) {
  auto use = use_of<served_stream>(self, stream);
  if (!use) return;
  if (use->session) self->send(use->session, close_atom::value);
  caf::anon_send_exit(use->events, caf::exit_reason::user_shutdown);
  self->state.streams.erase(stream);
}

void take_step(self_pointer self, uint64_t stream, incoming& message) {
  auto edge = use_of<incoming_edge>(self, stream);
  auto body = decode_body<step_body>(message.body);
  if (!body) return end_link(self, "a step that cannot be read");
  auto converted = from_wire(*body, message.payload, self->state.info.peer);
  if (auto error = std::get_if<conversion_error>(&converted)) {
    consumed(self, stream, message);
    return refuse_step(self, stream, body->seq, error->code, error->text);
  }
  auto seq = body->seq;
  auto payload = static_cast<uint32_t>(message.payload ? message.payload->size() : 0);
  auto give_back = [self, stream, payload] {
    if (payload > 0) self->send(self->state.link, consumed_atom::value, stream, payload);
  };
  self->request(edge->target, taken_timeout, step_atom::value, std::move(std::get<step>(converted)))
    .then(
      [give_back](taken) { give_back(); },
      [self, stream, seq, give_back](caf::error& reason) {
        give_back();
        refuse_step(self, stream, seq, code_of(reason), sentence(reason));
      });
}

void serve_attach(self_pointer self, uint64_t stream, const attach_body& body) {
  if (!self->state.streams.emplace(stream, incoming_edge{}).second) return end_link(self, "a stream was attached twice");
  session_id session{body.session.bytes};
  self->request(self->state.config.node, local_timeout, find_atom::value, session, self->state.info.peer)
    .then(
      [self, stream](step_sink_actor& target) {
        auto edge = use_of<incoming_edge>(self, stream);
        if (!edge) return;
        edge->target = target;
        auto waiting = std::move(edge->waiting);
        for (auto& message : waiting) take_step(self, stream, message);
        if (use_of<incoming_edge>(self, stream)->ended) self->state.streams.erase(stream);
      },
      [self, stream](caf::error& reason) {
        auto edge = use_of<incoming_edge>(self, stream);
        if (!edge) return;
        for (auto& message : edge->waiting) consumed(self, stream, message);
        refuse_step(self, stream, 0, code_of(reason), sentence(reason));
        self->state.streams.erase(stream);
      });
}

void serve_step(self_pointer self, incoming& message) {
  auto edge = use_of<incoming_edge>(self, message.stream);
  if (!edge) {
    // Its session has ended while the step was under way, or was never attached: both are answered alike.
    consumed(self, message.stream, message);
    return refuse_step(self, message.stream, 0, errc::unknown_session, "no session is attached to this stream");
  }
  if (edge->target) return take_step(self, message.stream, message);
  if (edge->waiting.size() >= max_waiting_steps) return end_link(self, "too many steps before their session was known");
  edge->waiting.push_back(std::move(message));
}

void serve_record(self_pointer self, const record_body& body) {
  auto record = from_wire(body);
  if (!record) return refuse(self, 0, errc::bad_request, "a record that cannot be read");
  auto tag = body.tag;
  self->request(self->state.config.directory, local_timeout, record_atom::value, std::move(*record), self->state.info.peer)
    .then(
      [self, tag](bool) {
        if (tag != 0) reply(self, frame_type::record_taken, 0, record_taken_body{tag});
      },
      [self](caf::error& reason) { refuse(self, 0, code_of(reason), sentence(reason)); });
}

void serve_snapshot(self_pointer self) {
  self->request(self->state.config.directory, local_timeout, record_atom::value)
    .then(
      [self](std::vector<signed_server_record>& records) {
        for (auto& record : records) reply(self, frame_type::record, 0, to_wire(record, /*tag=*/0));
        reply(self, frame_type::snapshot_end, 0, snapshot_end_body{});
      },
      [self](caf::error& reason) { end_link(self, sentence(reason)); });
}

// -- what the peer answers ----------------------------------------------------------------------------------------

void take_opened(self_pointer self, uint64_t stream, const opened_body& body) {
  auto use = use_of<opened_stream>(self, stream);
  if (!use) return;  // given up meanwhile
  if (use->control || body.session.bytes != use->session.bytes) return end_link(self, "an answer to no open");
  use->control = spawn_control_proxy(self->system(), self->state.link, stream);
  self->monitor(use->control);
  use->answer.deliver(use->control);
}

void take_refused(self_pointer self, uint64_t stream, const refused_body& body) {
  // On stream 0 it is about a record, whose sender gives up by itself.
  auto use = use_of<opened_stream>(self, stream);
  if (!use) return;
  if (use->control) return end_link(self, "a refusal of what was opened");
  use->answer.deliver(make_error(body.code.value, body.text.value));
  self->state.streams.erase(stream);
}

void take_events(self_pointer self, const incoming& message) {
  auto use = use_of<opened_stream>(self, message.stream);
  if (!use) return;
  if (message.type == frame_type::applied) {
    if (auto body = decode_body<applied_body>(message.body))
      return self->send(use->events, applied_atom::value, applied{use->session, body->seq, body->micros});
  } else if (auto body = decode_body<failed_body>(message.body)) {
    self->send(use->events, failed_atom::value, session_failed{use->session, body->code.value, body->text.value});
    if (use->control) caf::anon_send_exit(use->control, caf::exit_reason::user_shutdown);
    self->state.streams.erase(message.stream);
    return;
  }
  end_link(self, "an event that cannot be read");
}

void take_step_refused(self_pointer self, uint64_t stream, const step_refused_body& body) {
  if (auto edge = use_of<outgoing_edge>(self, stream))
    self->send(edge->owner, refused_atom::value, step_refused{body.seq, body.last, body.code.value, body.text.value});
}

void take_record_taken(self_pointer self, const record_taken_body& body) {
  auto found = self->state.records.find(body.tag);
  if (found == self->state.records.end()) return;
  found->second.deliver(taken{});
  self->state.records.erase(found);
}

void take_snapshot_end(self_pointer self) {
  if (self->state.snapshots.empty()) return end_link(self, "the end of a snapshot that nobody asked for");
  self->state.snapshots.front().deliver(taken{});
  self->state.snapshots.pop_front();
}

// -- dispatch -----------------------------------------------------------------------------------------------------

/// Decodes the body and hands it on; what cannot be read ends the link.
template <class Body, class Handler>
void with(self_pointer self, const incoming& message, Handler handler) {
  if (auto body = decode_body<Body>(message.body)) return handler(*body);
  end_link(self, "a message of type " + std::to_string(static_cast<int>(message.type)) + " cannot be read");
}

void dispatch(self_pointer self, incoming& message) {
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
    case frame_type::applied:
    case frame_type::failed: return take_events(self, message);
    case frame_type::attach:
      return with<attach_body>(self, message, [&](auto& body) { serve_attach(self, stream, body); });
    case frame_type::step: return serve_step(self, message);
    case frame_type::step_refused:
      return with<step_refused_body>(self, message, [&](auto& body) { take_step_refused(self, stream, body); });
    case frame_type::record:
      return with<record_body>(self, message, [&](auto& body) { serve_record(self, body); });
    case frame_type::record_taken:
      return with<record_taken_body>(self, message, [&](auto& body) { take_record_taken(self, body); });
    case frame_type::snapshot:
      return with<snapshot_body>(self, message, [&](auto&) { serve_snapshot(self); });
    case frame_type::snapshot_end:
      return with<snapshot_end_body>(self, message, [&](auto&) { take_snapshot_end(self); });
    default: return end_link(self, "a message of type " + std::to_string(static_cast<int>(message.type)) + " has no place here");
  }
}

void stream_ended(self_pointer self, uint64_t stream) {
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

/// Something local that a stream stood for has ended.
void local_ended(self_pointer self, const caf::actor_addr& source) {
  std::erase_if(self->state.streams, [&](auto& entry) {
    auto is = [&](auto& handle) { return handle && handle.address() == source; };
    if (auto use = std::get_if<served_stream>(&entry.second); use && is(use->session)) {
      // Its events proxy has said why, and ended the stream, if the session ended by itself.
      return true;
    }
    if (auto use = std::get_if<opened_stream>(&entry.second)) return is(use->control);
    if (auto use = std::get_if<outgoing_edge>(&entry.second)) return is(use->owner);
    return false;
  });
}

void fail_all(self_pointer self, const caf::error& reason) {
  auto& state = self->state;
  for (auto& [stream, use] : state.streams)
    if (auto opened = std::get_if<opened_stream>(&use); opened && !opened->control) opened->answer.deliver(reason);
  for (auto& [tag, answer] : state.records) answer.deliver(reason);
  for (auto& answer : state.snapshots) answer.deliver(reason);
  self->quit(reason);
}

peer_and_sink_actor::behavior_type peer(self_pointer self, link_actor link, link_info info, peer_config config) {
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
  caf::anon_send(state.config.node, up_atom::value, state.info, peer_actor{self});
  return {
    [self](open_atom, const open_request& request, const session_events_actor& events) { return open_there(self, request, events); },
    [self](attach_atom, const session_id& session, const edge_owner_actor& owner) {
      return spawn_sink_proxy(self->system(), self->state.link, attacher_actor{self}, session, owner);
    },
    [self](record_atom, const signed_server_record& record) { return hand_over(self, record); },
    [self](snapshot_atom) { return ask_snapshot(self); },
    [self](close_atom, errc code, const std::string& text) { self->send(self->state.link, close_atom::value, code, text); },
    [self](frame_atom, incoming& message) { dispatch(self, message); },
    [self](ended_atom, uint64_t stream) { stream_ended(self, stream); },
    [self](begin_atom, const session_id& session, const edge_owner_actor& owner) { return begin_edge(self, session, owner); },
    [self](tick_atom, uint64_t stream) { open_overdue(self, stream); }};
}

}  // namespace

peer_and_sink_actor spawn_peer(caf::actor_system& system, link_actor link, link_info info, peer_config config) {
  return spawn_stateful(system, peer, std::move(link), std::move(info), std::move(config));
}

}  // namespace corolla::actors::wire
