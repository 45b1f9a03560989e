// Every typed interface, local message and atom of corolla, on one page (error codes: actors/errc.hpp).  Local messages
// never leave the process; what crosses a network is in actors/wire/messages.hpp.
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
#include <caf/atom.hpp>
#include <caf/error.hpp>
#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include "actors/errc.hpp"
#include "actors/ids.hpp"
#include "actors/policy/digest.hpp"
#include "crypto/address.hpp"
#include "crypto/identity.hpp"
#include "crypto/membership.hpp"
#include "crypto/signed_record.hpp"
#include "model/block_range.hpp"
#include "model/checkpoint.hpp"
#include "model/tensor.hpp"

namespace corolla::actors {

using crypto::peer_id;

/// An error of category "corolla" with a sentence for people.  (The text has no default: CAF would turn a bare errc in
/// a message into such an error.)
caf::error make_error(errc code, std::string text);
/// The sentence, whatever the category ("link_lost: 127.0.0.1:4711 closed the connection").
std::string describe(const caf::error& reason);
/// The same without the code, for where that stands beside it or in front of it all.
std::string sentence(const caf::error& reason);
/// The code, if the category is "corolla"; errc::timed_out for CAF's request_timeout; else errc::compute_failed.
errc code_of(const caf::error& reason);

// -- atoms (ten characters at most) -------------------------------------------------------------------------------

using open_atom = caf::atom_constant<caf::atom("open")>;
using attach_atom = caf::atom_constant<caf::atom("attach")>;
using step_atom = caf::atom_constant<caf::atom("step")>;
using applied_atom = caf::atom_constant<caf::atom("applied")>;
using failed_atom = caf::atom_constant<caf::atom("failed")>;
using refused_atom = caf::atom_constant<caf::atom("refused")>;
using close_atom = caf::atom_constant<caf::atom("close")>;
using reserve_atom = caf::atom_constant<caf::atom("reserve")>;
using release_atom = caf::atom_constant<caf::atom("release")>;
using status_atom = caf::atom_constant<caf::atom("status")>;
using connect_atom = caf::atom_constant<caf::atom("connect")>;
using listen_atom = caf::atom_constant<caf::atom("listen")>;
using dial_atom = caf::atom_constant<caf::atom("dial")>;
using up_atom = caf::atom_constant<caf::atom("up")>;
using find_atom = caf::atom_constant<caf::atom("find")>;
using register_atom = caf::atom_constant<caf::atom("register")>;
using record_atom = caf::atom_constant<caf::atom("record")>;
using publish_atom = caf::atom_constant<caf::atom("publish")>;
using snapshot_atom = caf::atom_constant<caf::atom("snapshot")>;
using forward_atom = caf::atom_constant<caf::atom("forward")>;
using generate_atom = caf::atom_constant<caf::atom("generate")>;
using token_atom = caf::atom_constant<caf::atom("token")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using tick_atom = caf::atom_constant<caf::atom("tick")>;
using ping_atom = caf::atom_constant<caf::atom("ping")>;
using suspect_atom = caf::atom_constant<caf::atom("suspect")>;
using digest_atom = caf::atom_constant<caf::atom("digest")>;
using withdraw_atom = caf::atom_constant<caf::atom("withdraw")>;
using watch_atom = caf::atom_constant<caf::atom("watch")>;
using changed_atom = caf::atom_constant<caf::atom("changed")>;

// -- steps --------------------------------------------------------------------------------------------------------

/// One request to a session: truncate to `position`, append the T tokens of `hidden`.
struct step {
  uint64_t epoch = 0;
  uint64_t seq = 0;   ///< 1, 2, 3, …: decides whether it is applied
  uint64_t done = 0;  ///< highest seq whose output the client has in full
  uint32_t position = 0;
  rows_wanted wanted = rows_wanted::last;
  std::vector<uint32_t> hypo_ids;  ///< empty, or B row indices
  model::tensor hidden;            ///< [B, T, C], T may be 0
  peer_id from;                    ///< stamped by the link it came on, never read from the wire
};
/// The step has been handed on: the sender may give the next.
struct taken {};
/// Why the receiver did not take a step that the wire had already accepted.
struct step_refused {
  uint64_t seq = 0;
  uint64_t last = 0;  ///< highest seq that the receiver has applied
  errc code = errc::gap;
  std::string text;
};

/// STEP SINK: where outputs go: the next hop's session, or the route for the last hop.
using step_sink_actor = caf::typed_actor<
    // Fails with stale, gap, not_yours, position_mismatch, bad_tensor, link_lost.
    caf::replies_to<step_atom, step>::with<taken>>;

/// EDGE OWNER: hears what the next hop says of steps that were already taken.
using edge_owner_actor = caf::typed_actor<caf::reacts_to<refused_atom, step_refused>>;

// -- sessions -----------------------------------------------------------------------------------------------------

struct open_request {
  session_id session;
  model::digest model{};          ///< of the whole model
  model::digest blocks_digest{};  ///< of `blocks`
  model::block_range blocks;
  model::dtype wire = model::dtype::float32;  ///< of this hop's outputs
  uint32_t batch = 1;
  uint32_t max_length = 0;                     ///< tokens
  std::chrono::milliseconds alloc_timeout{0};  ///< how long to wait for room; 0: refuse at once
  uint64_t epoch = 1;
  peer_id upstream;         ///< who sends steps: the client itself for the first hop
  peer_id next;             ///< who receives outputs: the client itself for the last hop
  session_id next_session;  ///< and into which of its sessions
};

/// A hop has computed and forwarded a step, and all before it.  Of decode steps only the latest is told, within 125 ms;
/// every step of a prompt is.
struct applied {
  session_id session;
  uint64_t seq = 0;
  uint32_t micros = 0;  ///< computing it, without the queue
};
/// A session ended at its server; nothing of it is left there.
struct session_failed {
  session_id session;
  errc code = errc::compute_failed;
  std::string text;
};

/// SESSION EVENTS: the client's ear for one session (its route actor, or that one's proxy on a server).
using session_events_actor =
    caf::typed_actor<caf::reacts_to<applied_atom, applied>, caf::reacts_to<failed_atom, session_failed>>;

/// What a session is and has done: the proof of what was computed where.
struct session_status {
  session_id session;
  peer_id client;
  model::block_range blocks;
  uint64_t epoch = 0;
  uint64_t last = 0;       ///< highest seq applied
  uint64_t steps = 0;      ///< steps applied
  uint32_t position = 0;   ///< tokens in the cache
  uint64_t dropped = 0;    ///< steps dropped as already applied, stale or not the upstream's
  uint64_t log_bytes = 0;  ///< held by the output log
};

/// SESSION CONTROL: what the client alone may ask of a session.
using session_control_actor = caf::typed_actor<
    // Ends the session and frees its cache and log.
    caf::reacts_to<close_atom>>;

/// SESSION: one client's place in one span of blocks.
using session_actor = caf::typed_actor<
    caf::replies_to<step_atom, step>::with<taken>, caf::reacts_to<refused_atom, step_refused>,
    caf::reacts_to<close_atom>, caf::replies_to<status_atom>::with<session_status>>;

// -- blocks -------------------------------------------------------------------------------------------------------

struct reserve_request {
  model::block_range blocks;
  uint32_t batch = 1;
  uint32_t max_length = 0;
  std::chrono::milliseconds timeout{0};  ///< how long to wait for room
};
struct block_step {
  uint64_t cache = 0;  ///< model::cache_id
  uint32_t position = 0;
  std::vector<uint32_t> hypo_ids;
  model::tensor hidden;
  model::dtype output = model::dtype::float32;
};
struct block_output {
  model::tensor hidden;
  uint32_t micros = 0;  ///< of the pass that computed it
  uint32_t rows = 0;    ///< rows (B × T of all its steps) in that pass
};
struct block_status {
  model::block_range blocks;
  uint64_t cache_tokens = 0;
  uint64_t free_tokens = 0;
  uint32_t sessions = 0;
  uint32_t waiting = 0;  ///< reservations that wait for room
  uint64_t passes = 0;
  uint64_t rows = 0;  ///< of all passes
  uint64_t steps = 0;
  std::chrono::microseconds busy{0};  ///< spent computing, in all
};

/// BLOCK: a span's weights and cache, and the thread that computes.
using block_actor = caf::typed_actor<
    // A cache id.  Fails with no_room (the text says what is left), too_large, blocks_mismatch.
    caf::replies_to<reserve_atom, reserve_request>::with<uint64_t>,
    // Gives the pages back, behind the pass under way.
    caf::reacts_to<release_atom, uint64_t>,
    // Fails with bad_tensor, not_finite, position_mismatch, compute_failed, stopping.
    caf::replies_to<step_atom, block_step>::with<block_output>, caf::replies_to<status_atom>::with<block_status>>;

// -- records ------------------------------------------------------------------------------------------------------

/// `gone` is a server's last word: it travels as any record, and no snapshot shows it.
enum class server_state : uint8_t { joining = 1, online = 2, draining = 3, gone = 4 };

/// The round trip between two servers.
struct ping_time {
  peer_id peer;
  std::chrono::microseconds round_trip{0};
  bool operator==(const ping_time&) const = default;
};
/// The most that a record holds.
inline constexpr size_t max_record_pings = 32;

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

/// PEER: another node, through one link.  Dies with its link; whoever uses it monitors it.
using peer_actor = caf::typed_actor<
    // Opens a session there.  The answer is its control; events go to the actor given.  Fails with what the server
    // says.
    caf::replies_to<open_atom, open_request, session_events_actor>::with<session_control_actor>,
    // A door through which steps go to a session there; refusals go to the actor given.
    caf::replies_to<attach_atom, session_id, edge_owner_actor>::with<step_sink_actor>,
    // Hands a record over; answers when the peer has taken it.
    caf::replies_to<record_atom, signed_server_record>::with<taken>,
    // Asks for all records that this node lacks; they go to its directory before the answer comes.  From then on the
    // peer tells of changes by itself.
    caf::replies_to<snapshot_atom>::with<taken>,
    // Hands a suspicion over.
    caf::reacts_to<suspect_atom, signed_suspicion>,
    // Round trip of a ping.
    caf::replies_to<ping_atom>::with<std::chrono::microseconds>,
    // Says goodbye with a sentence and ends the link.
    caf::reacts_to<close_atom, errc, std::string>>;

/// CONNECTOR: the peer behind an id, through a link that is up or that is dialled now.
using connector_actor = caf::typed_actor<caf::replies_to<connect_atom, peer_id>::with<peer_actor>>;

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
    // One peer's record; fails with unknown_peer.
    caf::replies_to<find_atom, peer_id>::with<server_record>,
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
    // The same, at the addresses that the peer itself announced.  Fails with unknown_peer without sending anything.
    caf::replies_to<connect_atom, peer_id>::with<peer_actor>,
    // A link is up (from its peer actor).
    caf::replies_to<up_atom, link_info, peer_actor>::with<taken>,
    // A session for a client (from its peer actor); `events` is the client's ear.
    caf::replies_to<open_atom, open_request, peer_id, session_events_actor>::with<session_actor>,
    // Where steps for a session go; fails with unknown_session, or not_yours unless `from` is the upstream it was
    // opened with.
    caf::replies_to<find_atom, session_id, peer_id>::with<step_sink_actor>,
    // A route's own end: outputs for `session` from `from` go to the sink until it ends.
    caf::replies_to<register_atom, session_id, peer_id, step_sink_actor>::with<taken>,
    caf::replies_to<status_atom>::with<node_status>,
    // Tells the swarm what this node serves; answers once so many peers have taken its record.
    caf::replies_to<publish_atom, uint32_t>::with<taken>,
    // Keeps a link to this address: dials it again whenever it is lost.
    caf::reacts_to<connect_atom, crypto::address, std::chrono::milliseconds>,
    // Housekeeping (from itself).
    caf::reacts_to<tick_atom>,
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
struct route_status {
  std::vector<hop_status> hops;
  uint32_t position = 0;
  std::vector<applied_event> trace;  ///< the last 4096
};

/// What a route is made for.
struct route_options {
  model::block_range blocks;  ///< which it covers
  uint32_t batch = 1;
  uint32_t max_length = 0;
  uint32_t chunk_tokens = 64;  ///< prompts are cut into steps of so many tokens
  bool pipeline = true;        ///< false: one chunk at a time (for measurements)
  std::chrono::milliseconds alloc_timeout{0};
  std::chrono::milliseconds step_timeout{60'000};
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
    // Advances the session.  One at a time; fails with position_mismatch, link_lost, what a hop said, ….
    caf::replies_to<forward_atom, forward_request>::with<forward_reply>, caf::replies_to<step_atom, step>::with<taken>,
    caf::reacts_to<applied_atom, applied>, caf::reacts_to<failed_atom, session_failed>,
    caf::replies_to<status_atom>::with<route_status>, caf::reacts_to<close_atom>>;

}  // namespace corolla::actors

// Local by nature: they hold shared tensors or handles, and nothing here publishes an actor.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::crypto::peer_id)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::crypto::address)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::model::tensor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::errc)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::session_id)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::step)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::taken)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::step_refused)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::open_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::applied)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::session_failed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::session_status)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::reserve_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::block_step)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::block_output)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::block_status)
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
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::node_status)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::forward_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::forward_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::route_status)
