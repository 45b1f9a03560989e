#include "actors/wire/peer_service.hpp"

#include <algorithm>
#include <utility>

#include "actors/wire/convert.hpp"
#include "actors/wire/limits.hpp"
#include "actors/wire/proxies.hpp"

namespace corolla::actors::wire {

namespace {

/// How long this node's own actors may take to answer what a peer asked.
constexpr auto local_timeout = std::chrono::seconds{30};
/// Steps may wait while the session they are for is looked up.  The stream's credit bounds their tensors but not their
/// number, since steps of a few tokens, or of none, are small: this bounds their bodies.
constexpr size_t max_waiting_bytes = limits::chunk_bytes;

}  // namespace

void serve_open(peer_pointer self, uint64_t stream, const open_body& body) {
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

void close_served(peer_pointer self, uint64_t stream) {
  auto use = use_of<served_stream>(self, stream);
  if (!use) return;
  if (use->session) self->send(use->session, close_atom::value);
  caf::anon_send_exit(use->events, caf::exit_reason::user_shutdown);
  self->state.streams.erase(stream);
}

// -- what a client asks of its session --

static void reply_no(peer_pointer self, uint64_t stream, uint64_t tag, const caf::error& reason) {
  answer_body answer;
  answer.tag = tag;
  answer.last = last_of(reason);
  answer.code.value = code_of(reason);
  answer.text.value = sentence(reason).substr(0, 512);
  reply(self, frame_type::answer, stream, answer);
}

static void reply_yes(peer_pointer self, uint64_t stream, uint64_t tag) {
  answer_body answer;
  answer.tag = tag;
  answer.done.value = 1;
  reply(self, frame_type::answer, stream, answer);
}

/// The session of a stream, or null after an answer: a request may cross the session's end.
static session_actor session_of(peer_pointer self, uint64_t stream, uint64_t tag) {
  auto use = use_of<served_stream>(self, stream);
  if (use && use->session) return use->session;
  if (use)
    end_link(self, "a request to a session that is not open yet");
  else
    reply_no(self, stream, tag, make_error(errc::unknown_session, "the session has ended"));
  return {};
}

void serve_accept(peer_pointer self, uint64_t stream, const accept_body& body) {
  auto session = session_of(self, stream, body.tag);
  if (!session) return;
  accept_request request;
  request.epoch = body.epoch;
  request.upstream.bytes = body.upstream.bytes;
  auto tag = body.tag;
  self->request(session, local_timeout, accept_atom::value, request)
      .then(
          [self, stream, tag](const accepted& done) {
            answer_body answer;
            answer.tag = tag;
            answer.done.value = 1;
            answer.last = done.last;
            answer.position = done.position;
            reply(self, frame_type::answer, stream, answer);
          },
          [self, stream, tag](const caf::error& reason) { reply_no(self, stream, tag, reason); });
}

template <class Request>
static void forward_request_of_edge(peer_pointer self, uint64_t stream, uint64_t tag, Request request) {
  auto session = session_of(self, stream, tag);
  if (!session) return;
  std::move(request)(session).then(
      [self, stream, tag](taken) { reply_yes(self, stream, tag); },
      [self, stream, tag](const caf::error& reason) { reply_no(self, stream, tag, reason); });
}

void serve_prompts(peer_pointer self, const incoming& message) {
  auto body = decode_body<prompts_body>(message.body);
  if (!body) return end_link(self, "deep prompts that cannot be read");
  const auto stream = message.stream;
  const auto tag = body->tag;
  auto session = session_of(self, stream, tag);
  auto prompts = from_wire(*body, message.payload);
  if (auto error = std::get_if<conversion_error>(&prompts); error && session)
    reply_no(self, stream, tag, make_error(error->code, std::move(error->text)));
  if (!session || !std::holds_alternative<model::tensor>(prompts)) return consumed(self, stream, message);
  const auto size = static_cast<uint32_t>(message.payload ? message.payload->size() : 0);
  auto give_back = [self, stream, size] {
    if (size > 0) self->send(self->state.link, consumed_atom::value, stream, size);
  };
  self->request(session, caf::infinite, prompts_atom::value, std::get<model::tensor>(std::move(prompts)))
      .then(
          [self, stream, tag, give_back](taken) {
            give_back();
            reply_yes(self, stream, tag);
          },
          [self, stream, tag, give_back](const caf::error& reason) {
            give_back();
            reply_no(self, stream, tag, reason);
          });
}

void serve_restore(peer_pointer self, uint64_t stream, const edge_body& body) {
  forward_request_of_edge(self, stream, body.tag, [&](const session_actor& session) {
    return self->request(session, local_timeout, restore_atom::value, restore_request{target_of(body), body.seq});
  });
}

void serve_relink(peer_pointer self, uint64_t stream, const edge_body& body) {
  forward_request_of_edge(self, stream, body.tag, [&](const session_actor& session) {
    return self->request(session, local_timeout, relink_atom::value, relink_request{target_of(body), body.seq});
  });
}

void serve_hand_over(peer_pointer self, uint64_t stream, const hand_over_body& body) {
  forward_request_of_edge(self, stream, body.edge.tag, [&](const session_actor& session) {
    hand_over_request request{target_of(body.edge), body.edge.seq, body.tokens};
    return self->request(session, local_timeout, hand_over_atom::value, request);
  });
}

void serve_prepare(peer_pointer self, uint64_t stream, const edge_body& body) {
  forward_request_of_edge(self, stream, body.tag, [&](const session_actor& session) {
    return self->request(session, local_timeout, prepare_atom::value, target_of(body));
  });
}

static bool is_admin(peer_pointer self) {
  auto& roles = self->state.info.roles;
  return std::find(roles.begin(), roles.end(), crypto::role::admin) != roles.end();
}

/// Says no, and why, to what came with this tag.
template <class Body>
static auto refuser(peer_pointer self, frame_type type, uint64_t tag) {
  return [self, type, tag](const caf::error& reason) {
    Body answer;
    answer.tag = tag;
    answer.code.value = code_of(reason);
    answer.text.value = sentence(reason).substr(0, 512);
    reply(self, type, 0, answer);
  };
}

void serve_drain(peer_pointer self, const drain_body& body) {
  auto tag = body.tag;
  auto refuse_it = refuser<drain_reply_body>(self, frame_type::drain_reply, tag);
  if (!is_admin(self))
    return refuse_it(make_error(errc::not_allowed, "only an admin of the swarm may ask a server to leave"));
  self->request(self->state.config.node, local_timeout, drain_atom::value)
      .then(
          [self, tag](uint32_t sessions) {
            drain_reply_body answer;
            answer.tag = tag;
            answer.done.value = 1;
            answer.sessions = sessions;
            reply(self, frame_type::drain_reply, 0, answer);
          },
          refuse_it);
}

static void send_sessions(peer_pointer self, uint64_t tag, const session_list& list) {
  size_t sent = 0;
  do {
    sessions_reply_body part;
    part.tag = tag;
    part.done.value = 1;
    part.total = list.total;
    const auto end = std::min<size_t>(list.sessions.size(), sent + limits::sessions_in_frame);
    for (; sent < end; ++sent) part.sessions.values.push_back(to_listed(list.sessions[sent]));
    part.more.value = sent < list.sessions.size();
    reply(self, frame_type::sessions_reply, 0, part);
  } while (sent < list.sessions.size());
}

void serve_sessions(peer_pointer self, const sessions_body& body) {
  auto tag = body.tag;
  auto refuse_it = refuser<sessions_reply_body>(self, frame_type::sessions_reply, tag);
  // Sessions tell who uses the swarm.
  if (!is_admin(self))
    return refuse_it(make_error(errc::not_allowed, "only an admin of the swarm may ask a server for its sessions"));
  // A few bytes make every session answer: one at a time.
  if (std::exchange(self->state.listing_sessions, true))
    return refuse_it(make_error(errc::overloaded, "the sessions are being asked already"));
  self->request(self->state.config.node, local_timeout, sessions_atom::value)
      .then(
          [self, tag](const session_list& list) {
            self->state.listing_sessions = false;
            send_sessions(self, tag, list);
          },
          [self, refuse_it](const caf::error& reason) {
            self->state.listing_sessions = false;
            refuse_it(reason);
          });
}

void serve_status(peer_pointer self, uint64_t stream) {
  auto use = use_of<served_stream>(self, stream);
  if (!use || !use->session) return;  // its end is told by FAILED, or by the end of the stream
  self->request(use->session, local_timeout, status_atom::value)
      .then(
          [self, stream](const session_status& status) {
            reply(self, frame_type::status_reply, stream, to_wire(status));
          },
          [](caf::error&) {});
}

// -- steps --

static void take_step(peer_pointer self, uint64_t stream, incoming& message) {
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
  // Without a timeout: a session answers for all its steps when it ends, and keeps its own deadlines.
  self->request(edge->target, caf::infinite, step_atom::value, std::move(std::get<step>(converted)))
      .then(
          [give_back](taken) { give_back(); },
          [self, stream, seq, give_back](caf::error& reason) {
            give_back();
            refuse_step(self, stream, seq, code_of(reason), sentence(reason), last_of(reason));
          });
}

void serve_attach(peer_pointer self, uint64_t stream, const attach_body& body) {
  if (!self->state.streams.emplace(stream, incoming_edge{}).second)
    return end_link(self, "a stream was attached twice");
  session_id session{body.session.bytes};
  self->request(self->state.config.node, local_timeout, find_atom::value, session)
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

void serve_step(peer_pointer self, incoming& message) {
  auto edge = use_of<incoming_edge>(self, message.stream);
  if (!edge) {
    // Its session has ended while the step was under way, or was never attached: both are answered alike.
    consumed(self, message.stream, message);
    return refuse_step(self, message.stream, 0, errc::unknown_session, "no session is attached to this stream");
  }
  if (edge->target) return take_step(self, message.stream, message);
  edge->waiting_bytes += message.body.size();
  if (edge->waiting_bytes > max_waiting_bytes) return end_link(self, "too many steps before their session was known");
  edge->waiting.push_back(std::move(message));
}

}  // namespace corolla::actors::wire
