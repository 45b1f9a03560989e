#include "actors/wire/proxies.hpp"

#include <deque>

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

session_control_actor::behavior_type control_proxy(
    proxy<session_control_actor> self, link_actor link, uint64_t stream) {
  end_with(self, link);
  return {[self, stream](close_atom) {
    caf::anon_send(
        self->state.link, frame_atom::value, control(frame_type::close, stream, close_body{}, /*end_stream=*/true));
    self->quit();
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
      [self, stream](failed_atom, const session_failed& event) {
        failed_body body;
        body.code.value = event.code;
        body.text.value = event.text.substr(0, 512);
        caf::anon_send(
            self->state.link, frame_atom::value, control(frame_type::failed, stream, body, /*end_stream=*/true));
        self->quit();
      }};
}

// -- the door to a session at the peer ----------------------------------------------------------------------------

struct sink_state {
  sink_state() = default;
  struct waiting_step {
    step what;
    caf::typed_response_promise<taken> answer;
  };
  link_actor link;
  attacher_actor peer;
  session_id session;
  edge_owner_actor owner;
  uint64_t stream = 0;               // 0 until the peer actor has attached
  std::deque<waiting_step> waiting;  // for that
  bool attaching = false;
  uint32_t bulk_on_its_way = 0;
  static constexpr const char* name = "sink";
};
using sink_pointer = step_sink_actor::stateful_pointer<sink_state>;

outgoing step_message(uint64_t stream, priority cls, step& s) {
  outgoing message;
  message.type = frame_type::step;
  message.cls = cls;
  message.stream = stream;
  message.body = encode_body(to_wire(s));
  message.payload = std::move(s.hidden);
  return message;
}

void send_step(sink_pointer self, step& s, caf::typed_response_promise<taken> answer) {
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

/// Only now is the session at the other end sure to be open.
void attach(sink_pointer self) {
  auto& state = self->state;
  state.attaching = true;
  self->request(state.peer, attach_timeout, begin_atom::value, state.session, state.owner)
      .then(
          [self](uint64_t stream) {
            self->state.stream = stream;
            auto waiting = std::move(self->state.waiting);
            for (auto& [what, answer] : waiting) send_step(self, what, answer);
          },
          [self](caf::error& reason) {
            for (auto& [what, answer] : self->state.waiting) answer.deliver(reason);
            self->quit(reason);
          });
}

step_sink_actor::behavior_type sink_proxy(
    sink_pointer self, link_actor link, attacher_actor peer, const session_id& session, edge_owner_actor owner) {
  auto& state = self->state;
  state.link = std::move(link);
  state.peer = std::move(peer);
  state.session = session;
  state.owner = std::move(owner);
  self->monitor(state.link);
  self->monitor(state.owner);
  self->set_down_handler([self](caf::down_msg& down) {
    auto& s = self->state;
    if (s.stream != 0 && down.source == s.owner.address()) {
      outgoing last;
      last.type = frame_type::end_stream;
      last.stream = s.stream;
      last.end_stream = true;
      caf::anon_send(s.link, frame_atom::value, std::move(last));
    }
    for (auto& [what, answer] : s.waiting) answer.deliver(make_error(errc::link_lost, "the link ended"));
    self->quit(std::move(down.reason));
  });
  return {[self](step_atom, step& s) -> caf::result<taken> {
    auto answer = self->make_response_promise<taken>();
    if (self->state.stream != 0) {
      send_step(self, s, answer);
      return answer;
    }
    self->state.waiting.push_back({std::move(s), answer});
    if (!self->state.attaching) attach(self);
    return answer;
  }};
}

}  // namespace

session_control_actor spawn_control_proxy(caf::actor_system& system, link_actor link, uint64_t stream) {
  return spawn_stateful(system, control_proxy, std::move(link), stream);
}

session_events_actor spawn_events_proxy(caf::actor_system& system, link_actor link, uint64_t stream) {
  return spawn_stateful(system, events_proxy, std::move(link), stream);
}

step_sink_actor spawn_sink_proxy(
    caf::actor_system& system, link_actor link, attacher_actor peer, const session_id& session,
    edge_owner_actor owner) {
  return spawn_stateful(system, sink_proxy, std::move(link), std::move(peer), session, std::move(owner));
}

}  // namespace corolla::actors::wire
