// Every typed interface and local message of corolla, on two pages: what steps, sessions and blocks say is in
// actors/session_protocol.hpp (words: actors/atoms.hpp; error codes: actors/errc.hpp).  Local messages never leave the
// process; what crosses a network is in actors/wire/messages.hpp.
//
// Threads: messages are moved between actors; tensors inside are immutable and shared.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/error.hpp>
#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include "actors/policy/digest.hpp"
#include "actors/session_protocol.hpp"
#include "crypto/address.hpp"
#include "crypto/identity.hpp"
#include "crypto/membership.hpp"
#include "crypto/signed_record.hpp"
#include "model/block_range.hpp"
#include "model/checkpoint.hpp"
#include "model/tensor.hpp"

namespace corolla::actors {

// -- records ------------------------------------------------------------------------------------------------------

/// `gone` is a server's last word: it travels as any record, and no snapshot shows it.
enum class server_state : uint8_t { joining = 1, online = 2, draining = 3, gone = 4 };

/// The way between two servers, as one of them measured it.
struct ping_time {
  peer_id peer;
  std::chrono::microseconds round_trip{0};
  float bytes_per_s = 0;  ///< of large messages that came from `peer`; 0: none came yet
  bool operator==(const ping_time&) const = default;
};
/// The most that a record holds.
inline constexpr size_t max_record_pings = 32;
inline constexpr size_t max_record_adapters = 4;

/// What a server says of itself; signed by its identity.
struct server_record {
  peer_id peer;
  uint64_t seq = 0;  ///< newer wins; starts from the wall clock in milliseconds
  std::chrono::milliseconds lifetime{60'000};
  server_state state = server_state::online;
  std::vector<std::string> addresses;  ///< "HOST:PORT", IPv6 in brackets
  std::string model_name;
  model::digest model{};
  model::digest blocks_digest{};  ///< of `blocks`
  uint32_t model_blocks = 0;      ///< of the whole model
  model::block_range blocks;
  model::dtype dtype = model::dtype::float32;
  uint64_t cache_tokens = 0;
  uint64_t free_tokens = 0;
  float steps_per_s = 0;         ///< decode steps a second through the whole span, measured at start; 0: unknown
  float forward_per_s = 0;       ///< prompt tokens a second through the whole span, measured at start; 0: unknown
  float load = 0;                ///< 0 to 1: share of the last seconds in which the block computed
  std::string numerics;          ///< kernels and dtype ("cpu-f32"): servers that differ round differently
  std::vector<ping_time> pings;  ///< to other servers, at most max_record_pings
  std::vector<std::string>
      adapters;  ///< names of those it serves besides the model itself, at most max_record_adapters
  std::string software;
};
/// A record as it travels, with how long it has been under way.
struct signed_server_record {
  crypto::signed_record record;
  std::chrono::milliseconds age{0};
};

/// Its signer has lost the link to a server whose last record had this number.
struct suspicion {
  peer_id suspect;
  uint64_t seq = 0;
  peer_id signer;  ///< proved by the signature
};
struct signed_suspicion {
  crypto::signed_record record;
};

/// What a peer's digest draws: records that it lacks, and what it has not heard of those that it has.
struct digest_answer {
  std::vector<signed_server_record> records;
  std::vector<signed_suspicion> suspicions;
};

/// What a directory holds and has done.
struct directory_status {
  uint64_t records = 0;
  uint64_t tombstones = 0;  ///< records that are never taken again
  uint64_t taken = 0;
  uint64_t known = 0;       ///< came again, or after a newer one
  uint64_t forged = 0;      ///< records and suspicions whose signature does not hold, or that make no sense
  uint64_t unreadable = 0;  ///< malformed or oversized before a signature could be looked at
  uint64_t buried = 0;      ///< dropped: expired, withdrawn or found dead before
  uint64_t too_old = 0;     ///< dropped: had outlived their life when they came
  uint64_t too_fast = 0;    ///< dropped: their owner makes more than is taken
  uint64_t full = 0;        ///< dropped: no room for another owner
  uint64_t suspicions = 0;
  uint64_t refused_suspicions = 0;  ///< of strangers, or too many
  uint64_t found_dead = 0;          ///< servers
  uint64_t refuted = 0;             ///< suspicions of this node
  uint64_t digests = 0;             ///< sent
};

// -- links and peers ----------------------------------------------------------------------------------------------

/// What is known of a peer once its hello was accepted.
struct link_info {
  peer_id peer;
  bool dialled = false;             ///< by this node
  bool is_server = false;           ///< a node that others may dial, not a client: the hello's word
  uint64_t instance = 0;            ///< of the process, 0 where it says none: two with one id are told apart by it
  std::vector<crypto::role> roles;  ///< proved by membership; all of them in a local or open swarm
  std::string software;
  std::string remote;  ///< "HOST:PORT" as the socket sees it
  std::string model_name;
  model::digest model{};
};

/// How good a link is.
struct link_quality {
  std::chrono::microseconds round_trip{0};  ///< of this ping
  float bytes_per_s = 0;                    ///< a moving average over large messages that came; 0: none came yet
};

/// PEER: another node, through one link.  Dies with its link; whoever uses it monitors it.  A node is its own peer too,
/// without a link.
using peer_actor = caf::typed_actor<
    // Opens a session there.  The answer is its control; events go to the actor given.  Fails with what the server
    // says.
    caf::replies_to<open_atom, open_request, session_events_actor>::with<session_control_actor>,
    // The way for steps to a session there; refusals go to the actor given.
    caf::replies_to<attach_atom, edge_target, edge_owner_actor>::with<edge_actor>,
    // Hands a record over; answers when the peer has taken it.
    caf::replies_to<record_atom, signed_server_record>::with<taken>,
    // Asks for all records that this node lacks; they go to its directory before the answer comes.  From then on the
    // peer tells of changes by itself.
    caf::replies_to<snapshot_atom>::with<taken>,
    // Hands a suspicion over.
    caf::reacts_to<suspect_atom, signed_suspicion>,
    // Asks the node to leave once its sessions have found other servers; answers with how many it has.  Fails with
    // not_allowed.
    caf::replies_to<drain_atom>::with<uint32_t>,
    // What the node's sessions have done, at most wire::limits::listed_sessions of them.  Fails with not_allowed, and
    // with overloaded while an answer is under way.
    caf::replies_to<sessions_atom>::with<session_list>,
    // Pings it.
    caf::replies_to<ping_atom>::with<link_quality>,
    // Says goodbye with a sentence and ends the link.
    caf::reacts_to<close_atom, errc, std::string>>;

/// CONNECTOR: finds peers; a node, for its sessions, its directory and its routes.
using connector_actor = caf::typed_actor<
    // The peer, through a link that is up, or dialled now at the addresses that it itself announced.  Fails with
    // unknown_peer without sending anything.
    caf::replies_to<connect_atom, peer_id>::with<peer_actor>,
    // The same of a peer whose record may be on its way: it is awaited for that long.
    caf::replies_to<connect_atom, peer_id, std::chrono::milliseconds>::with<peer_actor>>;

/// PROBE: how far other servers are, measured over links.
using probe_actor = caf::typed_actor<
    // A link to a server is up: it is pinged now, and every 10 s until it ends.
    caf::reacts_to<up_atom, peer_id, peer_actor>,
    // What is known of servers that are linked.
    caf::replies_to<snapshot_atom>::with<std::vector<ping_time>>,
    // The same, once each of these servers was linked and pinged, or could not be (lately), or that much time has
    // passed.
    caf::replies_to<snapshot_atom, std::vector<peer_id>, std::chrono::milliseconds>::with<std::vector<ping_time>>,
    caf::reacts_to<tick_atom>>;

/// DIRECTORY WATCHER: hears that a record was added, dropped, or replaced with another state, span or addresses.
using directory_watcher_actor = caf::typed_actor<caf::reacts_to<changed_atom>>;

/// DIRECTORY: the signed records of who serves what, replicated on every node.
using directory_actor = caf::typed_actor<
    // A record from a peer: true if it was new (and was handed on).  Fails with bad_request for a forged or oversized
    // one.
    caf::replies_to<record_atom, signed_server_record, peer_id>::with<bool>,
    // What this node serves: signed, kept fresh and pushed to every peer from now on: at once where more than load,
    // free cache and pings has changed.  Answers once `acknowledgements` peers have taken it (at once for 0).
    caf::replies_to<publish_atom, server_record, uint32_t>::with<taken>,
    // The node is leaving: its record is withdrawn, and the links that now end make nobody a suspect.  Answers when the
    // peer actors have been told.
    caf::replies_to<withdraw_atom>::with<taken>,
    // All live records, without those of servers that said goodbye.
    caf::replies_to<snapshot_atom>::with<std::vector<server_record>>,
    // One peer's record, or the one that comes within that time; fails with unknown_peer.
    caf::replies_to<find_atom, peer_id, std::chrono::milliseconds>::with<server_record>,
    // The same as they travel: for a newcomer, which is told of changes from now on.
    caf::replies_to<record_atom, peer_id>::with<std::vector<signed_server_record>>,
    // What this node holds, for a peer to compare.
    caf::replies_to<digest_atom>::with<std::vector<policy::digest_range>>,
    // What a peer holds: what it lacks.  It is told of changes from now on.
    caf::replies_to<digest_atom, policy::digest_range, peer_id>::with<digest_answer>,
    // A peer suspects a server, or passes such word on.
    caf::reacts_to<suspect_atom, signed_suspicion, peer_id>,
    // A peer sent a record or suspicion that cannot be read.
    caf::reacts_to<refused_atom, peer_id>,
    // A link is up.  Answers once this node has the records that the peer has (for a client: at once).
    caf::replies_to<up_atom, link_info, peer_actor>::with<taken>,
    // How to reach a server that is suspected.
    caf::reacts_to<connect_atom, connector_actor>, caf::replies_to<status_atom>::with<directory_status>,
    // Tells the watcher of every change from now on, until it ends.
    caf::reacts_to<watch_atom, directory_watcher_actor>, caf::reacts_to<tick_atom>>;

/// DIALER: resolves a name and connects, in its own thread, within a deadline.
using dialer_actor = caf::typed_actor<
    // A connected, non-blocking socket, which the receiver owns.  Fails with unreachable and a sentence.
    caf::replies_to<dial_atom, std::string, uint16_t>::with<int>>;

// -- nodes --------------------------------------------------------------------------------------------------------

struct node_status {
  peer_id peer;
  std::string address;  ///< corolla://ID@HOST:PORT, empty where it does not listen
  uint32_t links = 0;
  uint32_t sessions = 0;
  uint64_t refused_opens = 0;
  uint64_t log_room = 0;  ///< bytes set aside for the output logs of all sessions
  std::optional<block_status> block;
};

/// NODE: the process.  Starts and ends everything else.
using node_actor = caf::typed_actor<
    // Listens on host and port (0: the kernel's choice); others are told to dial `announce` where it is not empty.
    // Answers with the address to give away.  Fails with unreachable and a sentence (the port is in use, say).
    caf::replies_to<listen_atom, std::string, uint16_t, std::vector<std::string>>::with<crypto::address>,
    // The peer behind an address; a link that is already up is used.  Fails with unreachable, wrong_peer, not_a_member,
    // ….
    caf::replies_to<connect_atom, crypto::address>::with<peer_actor>,
    // As a connector.
    caf::replies_to<connect_atom, peer_id>::with<peer_actor>,
    caf::replies_to<connect_atom, peer_id, std::chrono::milliseconds>::with<peer_actor>,
    // A link is up (from its peer actor).
    caf::replies_to<up_atom, link_info, peer_actor>::with<taken>,
    // A session for a client (from its peer actor); `events` is the client's ear.
    caf::replies_to<open_atom, open_request, peer_id, session_events_actor>::with<session_actor>,
    // Where steps for a session go, which itself knows from whom it takes them; fails with unknown_session.
    caf::replies_to<find_atom, session_id>::with<step_sink_actor>,
    // A route's own end: steps for `session` go to the sink until it ends.
    caf::replies_to<register_atom, session_id, step_sink_actor>::with<taken>,
    caf::replies_to<status_atom>::with<node_status>,
    // As the probe's.
    caf::replies_to<snapshot_atom, std::vector<peer_id>, std::chrono::milliseconds>::with<std::vector<ping_time>>,
    // Tells the swarm what this node serves; answers once so many peers have taken its record.
    caf::replies_to<publish_atom, uint32_t>::with<taken>,
    // Keeps a link to this address: dials it again whenever it is lost.
    caf::reacts_to<connect_atom, crypto::address, std::chrono::milliseconds>,
    // Housekeeping (from itself).
    caf::reacts_to<tick_atom>,
    // No new sessions; ends once all that run have gone to other servers, or after settings.drain_timeout.  Answers
    // with how many run.
    caf::replies_to<drain_atom>::with<uint32_t>,
    // What its sessions have done, at most wire::limits::listed_sessions of them.
    caf::replies_to<sessions_atom>::with<session_list>,
    // Ends everything: sessions, links, block; the actor is gone when all are, within a bound.
    caf::reacts_to<stop_atom>>;

// -- routes and clients -------------------------------------------------------------------------------------------

/// What a client asks of a route: T tokens through all its blocks.
struct forward_request {
  uint32_t position = 0;
  model::tensor hidden;  ///< [B, T, C]
  rows_wanted wanted = rows_wanted::last;
  std::vector<uint32_t> hypo_ids;
};
struct forward_reply {
  model::tensor hidden;  ///< [B, T, C] (all), [B, 1, C] (last), [B, 0, C] (none)
};

struct hop_status {
  peer_id peer;
  model::block_range blocks;
  double ms = 0;  ///< median compute time of one decode step, as the hop reports it
};
/// When a hop reported a step, on the client's clock: for traces.
struct applied_event {
  uint32_t hop = 0;
  uint64_t seq = 0;
  uint32_t micros = 0;
  std::chrono::steady_clock::time_point at;
};
/// How a part of a chain was replaced.
struct recovery_report {
  model::block_range blocks;  ///< empty: an edge alone
  bool late = false;          ///< what was replaced was late, not lost
  bool moved = false;         ///< it was leaving, or a better route was found: it served until then
  bool handed_over = false;   ///< and gave what it had: nothing was computed again
  uint32_t restored_tokens = 0;
  std::chrono::steady_clock::time_point noticed;  ///< when the loss was known, on the client's clock
  std::chrono::microseconds opening{0};           ///< from then until all substitutes were open
  std::chrono::microseconds restoring{0};         ///< from then until they held all rows
  std::chrono::microseconds switching{0};         ///< from then until steps went the new way
};
struct route_status {
  std::vector<hop_status> hops;
  uint32_t position = 0;
  std::vector<recovery_report> recoveries;  ///< of the whole session, oldest first
  std::vector<applied_event> trace;         ///< the last 4096
};

/// What a route is made for.
struct route_options {
  model::block_range blocks;  ///< which it covers
  uint32_t batch = 1;
  uint32_t max_length = 0;
  uint32_t chunk_tokens = 64;  ///< prompts are cut into steps of so many tokens
  bool pipeline = true;        ///< false: one chunk at a time (for measurements)
  std::chrono::milliseconds alloc_timeout{0};
  /// Without an output, however many servers were tried meanwhile; and of opening, besides `alloc_timeout`.
  std::chrono::milliseconds step_timeout{60'000};
  /// A session moves to a route of which a step would take so many times less, as estimated.
  double better_by = 1.5;
  /// Added to what goes into the blocks at the first P positions, as model::span says: [blocks, P, C] of a float type;
  /// empty: none.
  model::tensor deep_prompts;
  /// Servers to use and no others; empty: any.
  std::vector<peer_id> allow;
  /// Servers not to use, whatever `allow` says.
  std::vector<peer_id> block;
};

/// ROUTE: one session's chain of hops.
using route_actor = caf::typed_actor<
    // Answers once every hop is open.  Fails with missing_blocks ("blocks 16:24 have no server"), no_room,
    // model_mismatch, ….
    caf::replies_to<open_atom>::with<taken>,
    // Advances the session.  One at a time; fails with position_mismatch, missing_blocks, what a hop said, ….  Hops
    // that are lost meanwhile are replaced.
    caf::replies_to<forward_atom, forward_request>::with<forward_reply>, caf::replies_to<step_atom, step>::with<taken>,
    caf::reacts_to<applied_atom, applied>, caf::reacts_to<failed_atom, session_failed>,
    caf::reacts_to<restored_atom, session_restored>, caf::reacts_to<edge_lost_atom, edge_lost>,
    caf::reacts_to<leaving_atom, session_leaving>, caf::replies_to<status_atom>::with<route_status>,
    // What each hop's session has done: the proof of what was computed where.
    caf::replies_to<audit_atom>::with<std::vector<session_status>>, caf::reacts_to<close_atom>>;

}  // namespace corolla::actors

// Local by nature: they hold shared tensors or handles, and nothing here publishes an actor.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::crypto::address)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::server_record)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<corolla::actors::server_record>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::signed_server_record)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<corolla::actors::signed_server_record>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::signed_suspicion)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::digest_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::policy::digest_range)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<corolla::actors::policy::digest_range>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::directory_status)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::link_info)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::link_quality)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<corolla::actors::ping_time>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<corolla::crypto::peer_id>)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::node_status)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::forward_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::forward_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::route_status)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(std::vector<corolla::actors::session_status>)
