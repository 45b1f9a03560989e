// What a directory actor keeps, shared by its parts: records and who is told of them (directory_actor), and what
// neighbours say of other servers (directory_gossip).
#pragma once

#include <map>
#include <optional>
#include <unordered_map>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/alarm.hpp"
#include "actors/directory_actor.hpp"
#include "actors/policy/gossip.hpp"

namespace corolla::actors {

struct held_record {
  server_record record;
  crypto::signed_record wire;
};

/// A node at the other end of a link.
struct neighbour {
  peer_id peer;
  peer_actor actor;
  bool is_server = false;
  bool is_told = false;  // of changes: a server, or a client that has asked
  double allowance = 0;  // records that its digests may still draw
  policy::gossip_time allowed_at;
  uint32_t forged = 0;  // what it handed over that was, or could not be read
};

struct pending_publish {
  caf::typed_response_promise<taken> answer;
  uint32_t wanted = 0;
  uint32_t taken_by = 0;
};

/// Somebody waits for a record.
struct pending_find {
  peer_id peer;
  policy::gossip_time until;
  caf::typed_response_promise<server_record> answer;
};

struct directory_state {
  directory_state() = default;
  std::optional<directory_config> config;

  std::optional<policy::gossip> gossip;                           // decides what is held
  std::unordered_map<peer_id, held_record> records;               // what gossip holds, and nothing else
  std::unordered_map<peer_id, crypto::signed_record> last_words;  // of servers found dead, as long as gossip knows it
  std::map<caf::actor_addr, neighbour> neighbours;                // by their peer actor
  std::map<caf::actor_addr, directory_watcher_actor> watchers;
  connector_actor connector;

  std::optional<server_record> own;  // as it is now; what went out last is in `records`
  uint64_t least_seq = 0;            // that the next own record must have
  policy::pacer pacer;
  std::optional<pending_publish> publishing;
  std::vector<pending_find> finding;
  bool leaving = false;

  alarm timer;
  policy::gossip_time next_digest = policy::gossip_time::max();
  peer_id last_digest_to;
  directory_status counted;
  static constexpr const char* name = "directory";
};
using directory_pointer = directory_actor::stateful_pointer<directory_state>;

namespace directory_parts {

// directory_actor.cpp

/// Counts what a peer handed over that is forged or cannot be read; the link of one that goes on so ends.
void count_forged(directory_pointer self, uint64_t& counter, const peer_id& from);
/// Forgets a record that gossip holds no more.
void drop(directory_pointer self, const peer_id& peer);
/// To all who are told of changes, except one.
void push_to_all(directory_pointer self, const held_record& held, const peer_id& except);
signed_server_record as_it_travels(directory_pointer self, const held_record& held);
/// A server that was found dead is back with an older number than it had (its clock was put back), and would not be
/// believed: its own last record tells it which one to outdo.
void remind(directory_pointer self, const peer_id& back);
/// The alarm for whatever is due next.
void set_timer(directory_pointer self);

// directory_gossip.cpp

/// A link has ended: true if it was the last one to that peer.
bool neighbour_lost(directory_pointer self, const caf::actor_addr& source);
/// This node has lost a server.
void suspect(directory_pointer self, const peer_id& peer);
void hear(directory_pointer self, const signed_suspicion& suspicion, const peer_id& from);
/// What the records that it has draw from this node.
digest_answer answer_digest(directory_pointer self, const policy::digest_range& range, const peer_id& from);
/// Finds out, with one neighbour, who lacks what; answers when it has sent what this node lacked.
void reconcile(directory_pointer self, const neighbour& with, caf::typed_response_promise<taken> answer);
/// The next neighbour's turn.
void reconcile_one(directory_pointer self);
/// From now on the peer is told of changes.
void tell_from_now(directory_pointer self, const peer_id& peer);

}  // namespace directory_parts

}  // namespace corolla::actors
