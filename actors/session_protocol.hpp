// The first page of the protocol between actors: errors, steps, sessions and blocks.
//
// Threads: messages are moved between actors; tensors inside are immutable and shared.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/error.hpp>
#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include "actors/atoms.hpp"
#include "actors/errc.hpp"
#include "actors/ids.hpp"
#include "crypto/peer_id.hpp"
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
/// The same with the highest seq that the receiver of a step has applied, for errc::gap.
caf::error make_error(errc code, std::string text, uint64_t last);
/// That seq; 0 where the error names none.
uint64_t last_of(const caf::error& reason);
/// The code, if the category is "corolla"; errc::timed_out for CAF's request_timeout; errc::stopping for no error,
/// which is how actors end that have nothing left to do; else errc::compute_failed.
errc code_of(const caf::error& reason);

// -- steps --------------------------------------------------------------------------------------------------------

/// One request to a session: truncate to `position`, append the T tokens of `hidden`.  One that restores brings what a
/// hop had that is lost or leaves.
struct step {
  uint64_t epoch = 0;
  uint64_t seq = 0;   ///< 1, 2, 3, …: decides whether it is applied
  uint64_t done = 0;  ///< highest seq whose output the client has in full
  uint32_t position = 0;
  rows_wanted wanted = rows_wanted::last;
  std::vector<uint32_t> hypo_ids;  ///< empty, or B row indices
  restored_part restores{};        ///< if any, `seq` is the step whose state is restored
  uint32_t until = 0;              ///< tokens to be restored in all
  uint32_t block = 0;              ///< of keys and values
  model::tensor hidden;            ///< [B, T, C], T may be 0
  peer_id from;                    ///< stamped by the link it came on, never read from the wire
};
/// The step has been handed on: the sender may give the next.
struct taken {};
/// Why the receiver did not take a step that the wire had already accepted.
struct step_refused {
  uint64_t epoch = 0;  ///< of the edge that the step went by
  uint64_t seq = 0;
  uint64_t last = 0;  ///< highest seq that the receiver has applied
  errc code = errc::gap;
  std::string text;
};

/// STEP SINK: where outputs arrive: the next hop's session, or the route for the last hop.
using step_sink_actor = caf::typed_actor<
    // Fails with stale, gap, not_yours, position_mismatch, bad_tensor, link_lost.
    caf::replies_to<step_atom, step>::with<taken>>;

/// EDGE: the way to a step sink at another node.  Ends, and ends its stream, when closed or when its owner ends.
using edge_actor = step_sink_actor::extend<caf::reacts_to<close_atom>>;
/// What an edge leads to.
struct edge_target {
  peer_id peer;
  session_id session;
  uint64_t epoch = 0;
  bool operator==(const edge_target&) const = default;
};

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
  uint64_t epoch = 1;                          ///< of both edges
  peer_id upstream;                            ///< who sends steps: the client itself for the first hop
  peer_id next;                                ///< who receives outputs: the client itself for the last hop
  session_id next_session;                     ///< and into which of its sessions
  uint64_t done = 0;                           ///< the session begins after this step; more than 0 for a substitute
  bool restoring = false;                      ///< it is restored before the first step
  peer_id restorer;                            ///< by whom: the hop before it, with rows, or the one that leaves
  bool next_restoring = false;                 ///< and so does the next hop, whose rows this one gives
  uint32_t prompt_tokens = 0;                  ///< of its deep prompts, which come before anything else; 0: none
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

/// A substitute holds all rows that were restored, and takes steps.
struct session_restored {
  session_id session;
  uint64_t epoch = 0;
};
/// A hop can send nothing more by its edge of this epoch; the session lives, and waits for another edge.
struct edge_lost {
  session_id session;
  uint64_t epoch = 0;
  errc code = errc::link_lost;
  std::string text;
};

/// The server is about to leave: the session goes on until its client has another, or the server's patience ends.
struct session_leaving {
  session_id session;
};

/// SESSION EVENTS: the client's ear for one session (its route actor, or that one's proxy on a server).
using session_events_actor = caf::typed_actor<
    caf::reacts_to<applied_atom, applied>, caf::reacts_to<failed_atom, session_failed>,
    caf::reacts_to<restored_atom, session_restored>, caf::reacts_to<edge_lost_atom, edge_lost>,
    caf::reacts_to<leaving_atom, session_leaving>>;

/// What a session is and has done: the proof of what was computed where.
struct session_status {
  session_id session;
  peer_id client;
  model::block_range blocks;
  uint64_t epoch = 0;      ///< of the edge that steps come by
  uint64_t last = 0;       ///< highest seq applied
  uint64_t steps = 0;      ///< steps applied
  uint32_t position = 0;   ///< tokens in the cache
  uint32_t restored = 0;   ///< of them, tokens that were restored: 0 for all but substitutes
  uint64_t dropped = 0;    ///< steps dropped as already applied, stale or not the upstream's
  uint64_t log_bytes = 0;  ///< held by the output log
  bool restoring = false;  ///< it is a substitute that does not hold all rows yet
  /// Of tensors that came to it, of steps and of what restored it, whether they were applied or dropped.
  uint64_t client_bytes = 0;  ///< from the client itself
  uint64_t server_bytes = 0;  ///< from other servers
  std::chrono::milliseconds age{0};
};
/// The sessions of a node, or some of them.
struct session_list {
  std::vector<session_status> sessions;
  uint32_t total = 0;  ///< that it has
};

/// From now on steps come from `upstream` with this epoch.
struct accept_request {
  uint64_t epoch = 0;  ///< above that of the edge in force
  peer_id upstream;
};
struct accepted {
  uint64_t last = 0;      ///< highest seq that was taken by the edges before
  uint32_t position = 0;  ///< tokens in the cache after it
};
/// The rows after step `done` go to a substitute, beside whatever the session does.
struct restore_request {
  edge_target to;
  uint64_t done = 0;
};
/// The state after step `done`, of `tokens` tokens, goes to a substitute of the same blocks: keys, values and log.
struct hand_over_request {
  edge_target to;
  uint64_t done = 0;
  uint32_t tokens = 0;
};
/// From now on outputs go there, beginning with step `last + 1`.
struct relink_request {
  edge_target to;
  uint64_t last = 0;
};

/// SESSION CONTROL: what the client alone may ask of a session.
using session_control_actor = caf::typed_actor<
    // Deep prompts [blocks, prompt_tokens, C], once, where `open` announced them: no step is taken before.  Fails with
    // bad_request where none are awaited, bad_tensor, too_large.
    caf::replies_to<prompts_atom, model::tensor>::with<taken>,
    // Fails with stale where the epoch is not above the one in force, or the session is still being restored.
    caf::replies_to<accept_atom, accept_request>::with<accepted>,
    // Answers once it has begun; fails with gap where the rows are kept no more, or what finding the peer failed with.
    caf::replies_to<restore_atom, restore_request>::with<taken>,
    // The same, and fails with gap also where the cache does not hold so many tokens.
    caf::replies_to<hand_over_atom, hand_over_request>::with<taken>,
    // Finds the way to a substitute that another restores, so that `relink` will not have to; fails as it would.
    caf::replies_to<prepare_atom, edge_target>::with<taken>,
    // Fails with gap where step `last + 1` is kept no more, or what finding the peer failed with.
    caf::replies_to<relink_atom, relink_request>::with<taken>, caf::replies_to<status_atom>::with<session_status>,
    // Ends the session and frees its cache and log.
    caf::reacts_to<close_atom>>;

/// SESSION: one client's place in one span of blocks.
using session_actor = session_control_actor::extend<
    caf::replies_to<step_atom, step>::with<taken>, caf::reacts_to<refused_atom, step_refused>,
    // Its node is about to leave: the client is told.
    caf::reacts_to<leaving_atom>>;

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
/// Positions [position, position + tokens) of what one block keeps for a session.
struct cache_read {
  uint64_t cache = 0;
  uint32_t block = 0;
  uint32_t position = 0;
  uint32_t tokens = 0;
};
struct cache_write {
  uint64_t cache = 0;
  uint32_t block = 0;
  uint32_t position = 0;
  model::tensor rows;  ///< [B, T, 2 × K × D]
};
/// Deep prompts of a session, as model::span takes them.
struct block_prompts {
  uint64_t cache = 0;
  model::tensor prompts;  ///< [blocks, P, C]
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
    caf::replies_to<step_atom, block_step>::with<block_output>,
    // Keys and values, as model::span reads and writes them.  Fail with unknown_session, bad_tensor, stopping.
    caf::replies_to<read_atom, cache_read>::with<model::tensor>, caf::replies_to<write_atom, cache_write>::with<taken>,
    caf::replies_to<prompts_atom, block_prompts>::with<taken>, caf::replies_to<status_atom>::with<block_status>>;

}  // namespace corolla::actors

// Local by nature: they hold shared tensors or handles, and nothing here publishes an actor.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::crypto::peer_id)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::model::tensor)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::errc)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::session_id)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::step)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::taken)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::step_refused)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::open_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::applied)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::session_failed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::session_restored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::edge_lost)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::edge_target)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::accept_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::accepted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::restore_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::hand_over_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::session_leaving)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::cache_read)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::cache_write)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::relink_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::session_status)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::session_list)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::reserve_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::block_step)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::block_output)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::block_prompts)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::block_status)
