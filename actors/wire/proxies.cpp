#include "actors/wire/proxies.hpp"

#include <deque>
#include <unordered_map>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/spawn.hpp"
#include "actors/wire/convert.hpp"
#include "actors/wire/messages.hpp"

namespace corolla::actors::wire {
namespace {

constexpr auto attach_timeout = std::chrono::seconds{30};

struct proxy_state {
  proxy_state() = default;
  link_actor link;
  uint64_t stream = 0;
  static constexpr const char* name = "proxy";
};

template <class Actor>
using proxy = typename Actor::template stateful_pointer<proxy_state>;

/// A proxy ends with its link, and with whoever it works for (if anybody), for the same reason.
template <class Self>
void end_with(Self* self, const link_actor& link) {
  self->state.link = link;
  self->monitor(link);
  self->set_down_handler([self](caf::down_msg& down) { self->quit(std::move(down.reason)); });
}

template <class Body>
outgoing control(frame_type type, uint64_t stream, const Body& body, bool end_stream = false) {
  outgoing message;
  message.type = type;
  message.stream = stream;
  message.body = encode_body(body);
  message.end_stream = end_stream;
  return message;
}

struct control_state {
  control_state() = default;
  link_actor link;
  uint64_t stream = 0;
  uint64_t next_tag = 1;
  std::unordered_map<uint64_t, caf::typed_response_promise<accepted>> accepts;  // by tag
  std::unordered_map<uint64_t, caf::typed_response_promise<taken>> edges;       // by tag
  std::deque<caf::typed_response_promise<session_status>> statuses;
  static constexpr const char* name = "control";
};
using control_pointer = control_proxy_actor::stateful_pointer<control_state>;

void end_control(control_pointer self, const caf::error& reason) {
  auto& state = self->state;
  for (auto& [tag, promise] : state.accepts) promise.deliver(reason);
  for (auto& [tag, promise] : state.edges) promise.deliver(reason);
  for (auto& promise : state.statuses) promise.deliver(reason);
  self->quit(reason);
}

/// `body_of(tag)` is the request.
template <class Body>
caf::result<taken> ask_edge(control_pointer self, frame_type type, Body body_of) {
  auto& state = self->state;
  auto promise = self->make_response_promise<taken>();
  auto tag = state.next_tag++;
  state.edges.emplace(tag, promise);
  caf::anon_send(state.link, frame_atom::value, control(type, state.stream, body_of(tag)));
  return promise;
}

caf::result<accepted> ask_accept(control_pointer self, const accept_request& request) {
  auto& state = self->state;
  auto promise = self->make_response_promise<accepted>();
  accept_body body;
  body.tag = state.next_tag++;
  body.epoch = request.epoch;
  body.upstream.bytes = request.upstream.bytes;
  state.accepts.emplace(body.tag, promise);
  caf::anon_send(state.link, frame_atom::value, control(frame_type::accept, state.stream, body));
  return promise;
}

/// Bulk, as prompts are: they must not hold up other sessions' tokens.
caf::result<taken> send_prompts(control_pointer self, model::tensor& prompts) {
  auto& state = self->state;
  auto promise = self->make_response_promise<taken>();
  const auto tag = state.next_tag++;
  state.edges.emplace(tag, promise);
  auto message = control(frame_type::prompts, state.stream, to_wire(prompts, tag));
  message.cls = priority::bulk;
  message.payload = std::move(prompts);
  // That they went is no answer yet.
  self->request(state.link, caf::infinite, frame_atom::value, std::move(message))
      .then(
          [](taken) {},
          [self, tag](caf::error& reason) {
            if (auto waiting = self->state.edges.extract(tag)) waiting.mapped().deliver(std::move(reason));
          });
  return promise;
}

void take_answer(control_pointer self, control_answer& answer) {
  auto& state = self->state;
  if (auto accept = state.accepts.extract(answer.tag)) {
    if (answer.refusal)
      accept.mapped().deliver(std::move(answer.refusal));
    else
      accept.mapped().deliver(answer.done);
  } else if (auto edge = state.edges.extract(answer.tag)) {
    if (answer.refusal)
      edge.mapped().deliver(std::move(answer.refusal));
    else
      edge.mapped().deliver(taken{});
  }
}

control_proxy_actor::behavior_type control_proxy(control_pointer self, link_actor link, uint64_t stream) {
  auto& state = self->state;
  state.link = std::move(link);
  state.stream = stream;
  self->monitor(state.link);
  self->set_down_handler([self](caf::down_msg& down) { end_control(self, down.reason); });
  self->set_exit_handler([self](caf::exit_msg& exit) { end_control(self, exit.reason); });
  return {
      [self](prompts_atom, model::tensor& prompts) { return send_prompts(self, prompts); },
      [self](accept_atom, const accept_request& request) { return ask_accept(self, request); },
      [self](restore_atom, const restore_request& request) {
        return ask_edge(
            self, frame_type::restore, [&](uint64_t tag) { return to_wire(request.to, request.done, tag); });
      },
      [self](hand_over_atom, const hand_over_request& request) {
        return ask_edge(self, frame_type::hand_over, [&](uint64_t tag) {
          return hand_over_body{to_wire(request.to, request.done, tag), request.tokens};
        });
      },
      [self](prepare_atom, const edge_target& to) {
        return ask_edge(self, frame_type::prepare, [&](uint64_t tag) { return to_wire(to, /*seq=*/0, tag); });
      },
      [self](relink_atom, const relink_request& request) {
        return ask_edge(self, frame_type::relink, [&](uint64_t tag) { return to_wire(request.to, request.last, tag); });
      },
      [self](status_atom) {
        auto& promise = self->state.statuses.emplace_back(self->make_response_promise<session_status>());
        caf::anon_send(
            self->state.link, frame_atom::value, control(frame_type::status, self->state.stream, status_body{}));
        return promise;
      },
      [self](close_atom) {
        caf::anon_send(
            self->state.link, frame_atom::value,
            control(frame_type::close, self->state.stream, close_body{}, /*end_stream=*/true));
        end_control(self, make_error(errc::unknown_session, "the session was closed"));
      },
      [self](answer_atom, control_answer& answer) { take_answer(self, answer); },
      [self](answer_atom, session_status& status) {
        auto& statuses = self->state.statuses;
        if (statuses.empty()) return;
        statuses.front().deliver(std::move(status));
        statuses.pop_front();
      }};
}

session_events_actor::behavior_type events_proxy(proxy<session_events_actor> self, link_actor link, uint64_t stream) {
  end_with(self, link);
  return {
      [self, stream](applied_atom, const applied& event) {
        caf::anon_send(
            self->state.link, frame_atom::value,
            control(frame_type::applied, stream, applied_body{event.seq, event.micros}));
      },
      [self, stream](restored_atom, const session_restored& event) {
        caf::anon_send(
            self->state.link, frame_atom::value, control(frame_type::restored, stream, restored_body{event.epoch}));
      },
      [self, stream](edge_lost_atom, const edge_lost& event) {
        edge_lost_body body;
        body.epoch = event.epoch;
        body.code.value = event.code;
        body.text.value = event.text.substr(0, 512);
        caf::anon_send(self->state.link, frame_atom::value, control(frame_type::edge_lost, stream, body));
      },
      [self, stream](leaving_atom, const session_leaving&) {
        caf::anon_send(self->state.link, frame_atom::value, control(frame_type::leaving, stream, leaving_body{}));
      },
      [self, stream](failed_atom, const session_failed& event) {
        failed_body body;
        body.code.value = event.code;
        body.text.value = event.text.substr(0, 512);
        caf::anon_send(
            self->state.link, frame_atom::value, control(frame_type::failed, stream, body, /*end_stream=*/true));
        self->quit();
      }};
}

// -- the way to a session at the peer -----------------------------------------------------------------------------

struct edge_state {
  edge_state() = default;
  struct waiting_step {
    step what;
    caf::typed_response_promise<taken> answer;
  };
  link_actor link;
  attacher_actor peer;
  edge_target to;
  edge_owner_actor owner;
  uint64_t stream = 0;               // 0 until the peer actor has attached
  std::deque<waiting_step> waiting;  // for that
  bool attaching = false;
  bool closing = false;
  uint32_t bulk_on_its_way = 0;
  static constexpr const char* name = "edge";
};
using edge_pointer = edge_actor::stateful_pointer<edge_state>;

outgoing step_message(uint64_t stream, priority cls, step& s) {
  outgoing message;
  message.type = frame_type::step;
  message.cls = cls;
  message.stream = stream;
  message.body = encode_body(to_wire(s));
  message.payload = std::move(s.hidden);
  return message;
}

void send_step(edge_pointer self, step& s, caf::typed_response_promise<taken> answer) {
  auto& state = self->state;
  // Prompts are bulk, so that they do not hold up other sessions' tokens; what follows one must not overtake it.
  auto cls = s.hidden.dim(1) > 1 || state.bulk_on_its_way > 0 ? priority::bulk : priority::step;
  if (cls == priority::bulk) ++state.bulk_on_its_way;
  auto settle = [self, cls] {
    if (cls == priority::bulk) --self->state.bulk_on_its_way;
  };
  // Without a timeout: the link answers everybody when it ends, and a hop that takes no more is given up by its route.
  self->request(state.link, caf::infinite, frame_atom::value, step_message(state.stream, cls, s))
      .then(
          [settle, answer](taken done) mutable {
            settle();
            answer.deliver(done);
          },
          [settle, answer](caf::error& reason) mutable {
            settle();
            answer.deliver(std::move(reason));
          });
}

void end_edge(edge_pointer self, const caf::error& reason, bool tells_peer) {
  auto& state = self->state;
  for (auto& [what, answer] : std::exchange(state.waiting, {})) answer.deliver(reason);
  if (tells_peer && state.attaching && state.stream == 0) {
    state.closing = true;  // the stream is about to begin, and has to end
    return;
  }
  if (tells_peer && state.stream != 0) {
    outgoing last;
    last.type = frame_type::end_stream;
    last.stream = state.stream;
    last.end_stream = true;
    caf::anon_send(state.link, frame_atom::value, std::move(last));
  }
  self->quit(reason);
}

/// Only now is the session at the other end sure to be open.
void attach(edge_pointer self) {
  auto& state = self->state;
  state.attaching = true;
  self->request(state.peer, attach_timeout, begin_atom::value, state.to, state.owner)
      .then(
          [self](uint64_t stream) {
            self->state.stream = stream;
            if (self->state.closing)
              return end_edge(self, make_error(errc::cancelled, "the edge was closed"), /*tells_peer=*/true);
            auto waiting = std::move(self->state.waiting);
            for (auto& [what, answer] : waiting) send_step(self, what, answer);
          },
          [self](caf::error& reason) { end_edge(self, reason, /*tells_peer=*/false); });
}

caf::result<taken> take_step(edge_pointer self, step& s) {
  auto answer = self->make_response_promise<taken>();
  if (self->state.stream != 0) {
    send_step(self, s, answer);
    return answer;
  }
  self->state.waiting.push_back({std::move(s), answer});
  if (!self->state.attaching) attach(self);
  return answer;
}

edge_actor::behavior_type edge_proxy(
    edge_pointer self, link_actor link, attacher_actor peer, const edge_target& to, edge_owner_actor owner) {
  auto& state = self->state;
  state.link = std::move(link);
  state.peer = std::move(peer);
  state.to = to;
  state.owner = std::move(owner);
  self->monitor(state.link);
  self->monitor(state.owner);
  self->set_down_handler([self](caf::down_msg& down) {
    end_edge(self, down.reason, /*tells_peer=*/down.source == self->state.owner.address());
  });
  return {
      [self](step_atom, step& s) { return take_step(self, s); },
      [self](close_atom) { end_edge(self, make_error(errc::cancelled, "the edge was closed"), /*tells_peer=*/true); }};
}

}  // namespace

control_proxy_actor spawn_control_proxy(caf::actor_system& system, link_actor link, uint64_t stream) {
  return spawn_stateful(system, control_proxy, std::move(link), stream);
}

session_events_actor spawn_events_proxy(caf::actor_system& system, link_actor link, uint64_t stream) {
  return spawn_stateful(system, events_proxy, std::move(link), stream);
}

edge_actor spawn_edge_proxy(
    caf::actor_system& system, link_actor link, attacher_actor peer, const edge_target& to, edge_owner_actor owner) {
  return spawn_stateful(system, edge_proxy, std::move(link), std::move(peer), to, std::move(owner));
}

}  // namespace corolla::actors::wire
