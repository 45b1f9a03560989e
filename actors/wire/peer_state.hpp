// What a peer actor keeps, shared by its parts: what this node asks of the peer (peer_requests) and what the peer asks
// of this node (peer_service).
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/wire/messages.hpp"
#include "actors/wire/peer.hpp"

namespace corolla::actors::wire {

/// A session that this node opened at the peer.
struct opened_stream {
  session_id session;
  session_events_actor events;
  caf::typed_response_promise<session_control_actor> answer;
  control_proxy_actor control;  // null until the peer has answered
};
/// A session that the peer opened here.
struct served_stream {
  session_actor session;  // null while the node is opening it
  session_events_actor events;
};
/// Steps to a session at the peer.
struct outgoing_edge {
  edge_owner_actor owner;
  uint64_t epoch = 0;
};
/// Steps from the peer to a session here.
struct incoming_edge {
  step_sink_actor target;  // null while it is looked up
  std::deque<incoming> waiting;
  size_t waiting_bytes = 0;  // of their bodies
  bool ended = false;
};
using stream_use = std::variant<opened_stream, served_stream, outgoing_edge, incoming_edge>;

/// What came so far of the peer's sessions.
struct listing {
  caf::typed_response_promise<session_list> answer;
  session_list so_far;
};

/// By tag: the peer answers in their order.
using record_promises = std::map<uint64_t, caf::typed_response_promise<taken>>;

struct peer_state {
  peer_state() = default;
  link_actor link;
  link_info info;
  peer_config config;
  uint64_t next_stream = 0;
  uint64_t next_tag = 1;
  std::map<uint64_t, stream_use> streams;
  record_promises records;
  uint64_t first_awaited = 0;   // records with lower tags have been answered with an error
  size_t records_given_up = 0;  // so many of those that are left
  std::deque<caf::typed_response_promise<taken>> snapshots;
  std::unordered_map<uint64_t, caf::typed_response_promise<taken>> digests;    // by tag
  std::unordered_map<uint64_t, caf::typed_response_promise<uint32_t>> drains;  // by tag
  std::unordered_map<uint64_t, listing> listings;                              // by tag
  uint32_t asked_of_directory = 0;                                             // for the peer, and not answered
  std::deque<incoming> for_directory;                                          // what waits until some of that is
  size_t for_directory_bytes = 0;                                              // of its bodies
  bool listing_sessions = false;                                               // for the peer
  std::deque<incoming> early;                                                  // before the node has taken the peer
  bool is_taken = false;
  static constexpr const char* name = "peer";
};
using peer_pointer = peer_and_sink_actor::stateful_pointer<peer_state>;

template <class Body>
void reply(peer_pointer self, frame_type type, uint64_t stream, const Body& body, bool end_stream = false) {
  outgoing message;
  message.type = type;
  message.stream = stream;
  message.body = encode_body(body);
  message.end_stream = end_stream;
  caf::anon_send(self->state.link, frame_atom::value, std::move(message));  // overflow ends the link by itself
}

template <class Use>
Use* use_of(peer_pointer self, uint64_t stream) {
  auto found = self->state.streams.find(stream);
  return found == self->state.streams.end() ? nullptr : std::get_if<Use>(&found->second);
}

/// Answers no, and ends the stream.
void refuse(peer_pointer self, uint64_t stream, errc code, std::string_view text);
void refuse_step(peer_pointer self, uint64_t stream, uint64_t seq, errc code, std::string_view text, uint64_t last = 0);
/// The peer broke the protocol.
void end_link(peer_pointer self, std::string text);
/// Whoever the message was for has taken it: credit goes back.
void consumed(peer_pointer self, uint64_t stream, const incoming& message);

}  // namespace corolla::actors::wire
