#include "actors/wire/proxies.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/spawn.hpp"
#include "actors/wire/convert.hpp"
#include "actors/wire/messages.hpp"

namespace corolla::actors::wire {
namespace {

struct proxy_state {
  proxy_state() = default;
  link_actor link;
  uint64_t stream = 0;
  bool attached = false;
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

session_control_actor::behavior_type control_proxy(proxy<session_control_actor> self, link_actor link, uint64_t stream) {
  end_with(self, link);
  return {[self, stream](close_atom) {
    caf::anon_send(self->state.link, frame_atom::value, control(frame_type::close, stream, close_body{}, /*end_stream=*/true));
    self->quit();
  }};
}

session_events_actor::behavior_type events_proxy(proxy<session_events_actor> self, link_actor link, uint64_t stream) {
  end_with(self, link);
  return {
    [self, stream](applied_atom, const applied& event) {
      caf::anon_send(self->state.link, frame_atom::value, control(frame_type::applied, stream, applied_body{event.seq, event.micros}));
    },
    [self, stream](failed_atom, const session_failed& event) {
      failed_body body;
      body.code.value = event.code;
      body.text.value = event.text.substr(0, 512);
      caf::anon_send(self->state.link, frame_atom::value, control(frame_type::failed, stream, body, /*end_stream=*/true));
      self->quit();
    }};
}

outgoing step_message(uint64_t stream, step& s) {
  outgoing message;
  message.type = frame_type::step;
  // Prompts are bulk: they must not hold up other sessions' tokens.
  message.cls = s.hidden.dim(1) > 1 ? priority::bulk : priority::step;
  message.stream = stream;
  message.body = encode_body(to_wire(s));
  message.payload = std::move(s.hidden);
  return message;
}

step_sink_actor::behavior_type sink_proxy(
  proxy<step_sink_actor> self, link_actor link, uint64_t stream, session_id session, edge_owner_actor owner) {
  end_with(self, link);
  self->monitor(owner);
  auto owner_address = owner.address();
  self->set_down_handler([self, stream, owner_address](caf::down_msg& down) {
    if (down.source == owner_address && self->state.attached) {
      outgoing last;
      last.type = frame_type::end_stream;
      last.stream = stream;
      last.end_stream = true;
      caf::anon_send(self->state.link, frame_atom::value, std::move(last));
    }
    self->quit(std::move(down.reason));
  });
  return {[self, stream, session](step_atom, step& s) -> caf::result<taken> {
    auto& state = self->state;
    if (!state.attached) {
      attach_body body;
      body.session.bytes = session.bytes;
      caf::anon_send(state.link, frame_atom::value, control(frame_type::attach, stream, body));
      state.attached = true;
    }
    return self->delegate(state.link, frame_atom::value, step_message(stream, s));
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
  caf::actor_system& system, link_actor link, uint64_t stream, session_id session, edge_owner_actor owner) {
  return spawn_stateful(system, sink_proxy, std::move(link), stream, session, std::move(owner));
}

}  // namespace corolla::actors::wire
