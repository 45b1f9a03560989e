// What a node actor keeps, shared by its parts: links (node_links) and sessions (node_sessions).
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include <caf/actor_clock.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/node_actor.hpp"
#include "actors/wire/acceptor.hpp"

namespace corolla::actors {

struct linked_peer {
  link_info info;
  peer_actor actor;
};

namespace sessions {
struct opening;
}

/// Where steps for a session go.
struct session_entry {
  step_sink_actor sink;                        // null while it is opened
  session_actor session;                       // null for the end of a route of this node's own, and while it is opened
  uint64_t log_room = 0;                       // bytes set aside for its output log and deep prompts
  std::shared_ptr<sessions::opening> opening;  // null once it is open
};

struct node_state {
  node_state() = default;
  std::optional<node_settings> settings;

  // Links.
  std::unordered_map<peer_id, linked_peer> links;
  std::unordered_map<peer_id, std::vector<caf::typed_response_promise<peer_actor>>> dialling;
  std::map<caf::actor_addr, peer_id> handshakes;            // links that were dialled, by their broker
  std::vector<crypto::address> kept;                        // to be dialled again when lost
  std::map<peer_id, caf::actor_clock::time_point> shunned;  // servers that are not dialled unasked until then
  probe_actor probe;
  peer_actor itself;  // this node as its own peer, once somebody asked
  wire::acceptor_actor acceptor;
  std::string address;
  std::vector<std::string> announce;

  // Sessions.
  std::unordered_map<session_id, session_entry> sessions;
  uint64_t log_room = 0;
  uint64_t refused_opens = 0;

  // Publishing.
  bool published = false;
  std::map<uint64_t, caf::typed_response_promise<taken>> publishing;  // who waits for it, in the order of asking
  uint64_t last_publish = 0;
  uint32_t samples = 0;
  std::chrono::microseconds busy{0};  // of the block, when it was looked at last
  caf::actor_clock::time_point sampled;
  float load = 0;

  bool draining = false;  // no new sessions; ends when those that run have gone
  bool stopping = false;
  caf::error failure;  // what it ends for, where nobody asked it to
  static constexpr const char* name = "node";
};

using node_pointer = node_actor::stateful_pointer<node_state>;

}  // namespace corolla::actors
