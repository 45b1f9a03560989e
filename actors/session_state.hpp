// What a session actor keeps, shared by its parts: steps (session_actor) and edges (session_edges).
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/alarm.hpp"
#include "actors/outlet.hpp"
#include "actors/policy/step_order.hpp"
#include "actors/session_actor.hpp"

namespace corolla::actors {

/// A step from when it was accepted until its output is in the log.
struct accepted_step {
  step request;
  caf::typed_response_promise<taken> answer;
};

/// What goes to a substitute while this session goes on: of each chunk of tokens the keys and values block by block,
/// and then the outputs.
struct handing_over {
  edge_target to;
  edge_actor edge;        // null until it is found
  uint64_t done = 0;      // the step whose state it is
  uint32_t until = 0;     // tokens in all
  uint32_t position = 0;  // of the next chunk
  uint32_t block = 0;     // next of the chunk; the end of the blocks: its outputs
  uint32_t untaken = 0;   // parts
};

struct session_state {
  session_state() = default;
  session_state(const session_state&) = delete;
  session_state& operator=(const session_state&) = delete;
  ~session_state() {
    const auto reason = make_error(errc::unknown_session, "the session has ended");
    answer_all(reason);
    caf::anon_send(config.block, release_atom::value, config.cache);
  }

  /// Whoever sent what the block has not taken yet, or waits for an edge: each holds credit until it is answered.
  void answer_all(const caf::error& reason) {
    for (auto& waiting : accepted) waiting.answer.deliver(reason);
    for (auto& answer : kept) answer.deliver(reason);
    accepted.clear();
    kept.clear();
    for (auto& [turn, waiting] : finding) waiting.deliver(reason);
    finding.clear();
  }

  /// What is still to go to a new next hop is kept, even where the client had it from the one before.
  void settle() { log->advance(std::min(done, out->sent())); }

  session_config config;
  uint64_t done = 0;  // the highest that a step told
  std::optional<policy::step_order> order;
  std::optional<sent_log> log;
  std::optional<outlet> out;         // to the next hop
  std::optional<outlet> substitute;  // that is being restored beside it
  std::deque<accepted_step> accepted;
  size_t asked = 0;                                     // the first so many of `accepted` are at the block
  std::deque<caf::typed_response_promise<taken>> kept;  // of what the block was given to keep, oldest first
  uint64_t steps = 0;
  uint64_t dropped = 0;
  uint64_t client_bytes = 0;  // of tensors that the client sent
  uint64_t server_bytes = 0;  // and that other servers did
  alarm::time_point opened{};
  uint32_t position = 0;                                           // tokens in the cache
  std::map<uint64_t, caf::typed_response_promise<taken>> finding;  // new edges, in the order of asking
  uint64_t last_find = 0;
  std::optional<handing_over> handing;
  bool reading_cache = false;   // the block is asked for a part
  bool awaits_prompts = false;  // and takes no step before
  // Of a substitute.
  bool restoring = false;      // not all rows have been computed
  uint32_t restore_begun = 0;  // tokens accepted
  uint32_t restore_until = 0;  // tokens in all; 0: not known yet
  uint32_t restored = 0;       // tokens computed, or taken over
  // Where it takes over: of the chunk that is coming.
  uint32_t chunk_tokens = 0;
  uint32_t chunk_block = 0;  // the next; 0: no part has come yet
  uint32_t unwritten = 0;    // parts that the block has not taken
  // When the block's next answer, and the next hop's, is overdue.
  alarm::time_point block_due = alarm::never;
  alarm::time_point next_due = alarm::never;
  std::optional<applied> unreported;  // the latest, where the client has not been told
  alarm::time_point report_due{};     // not before
  alarm timer;
  static constexpr const char* name = "session";
};

using session_impl = new_session_actor::extend<caf::reacts_to<tick_atom>>;
using session_pointer = session_impl::stateful_pointer<session_state>;

/// Ends the session, and says why to all who wait and to the client.
void fail(session_pointer self, errc code, const std::string& text);
/// What is awaited from the block or the next hop has the whole time again, or is not awaited any more.
void restart(session_pointer self, alarm::time_point& due, size_t awaited);
/// Gives the block what the next hop has room for.
void ask_block(session_pointer self);
/// All that was to be restored is there.
void restored(session_pointer self);
/// What is wrong with a step's tensor; an empty text if nothing is.
std::string misfit(const session_config& config, const step& s);
/// The block cannot go on with this session.
void block_failed(session_pointer self, const caf::error& reason);
/// Gives the block something to keep for the session; `then` is called once it has taken it.
template <class Atom, class What>
caf::result<taken> give_block(session_pointer self, Atom what, What given, std::function<void()> then) {
  auto promise = self->make_response_promise<taken>();
  self->state.kept.push_back(promise);
  self->request(self->state.config.block, caf::infinite, what, std::move(given))
      .then(
          // Answers come in the order of requests: the block takes such things at once.
          [self, then = std::move(then)](taken done) {
            auto answer = std::move(self->state.kept.front());
            self->state.kept.pop_front();
            answer.deliver(done);
            then();
          },
          [self](const caf::error& reason) { block_failed(self, reason); });
  return promise;
}

namespace edges {

/// What is done with an edge that was found; it answers whoever waits.
using use_edge = std::function<void(const edge_actor&, caf::typed_response_promise<taken>&)>;
/// Finds the peer, which may have to be heard of first, and gives `then` an edge to its session.
caf::result<taken> find(
    session_pointer self, const edge_target& to, use_edge then, std::chrono::milliseconds patience = {});
/// The edge is given up.
void let_go(session_pointer self, edge_actor& edge);
/// Sends what may go, on both ways out.
void pump(session_pointer self);
void attach_first(session_pointer self, const edge_actor& edge);
caf::result<accepted> accept(session_pointer self, const accept_request& request);
caf::result<taken> restore(session_pointer self, const restore_request& request);
caf::result<taken> prepare(session_pointer self, const edge_target& to);
caf::result<taken> relink(session_pointer self, const relink_request& request);
/// The next hop, or the substitute, said no to what it had taken.
void refused(session_pointer self, const step_refused& why);
/// True if it was an edge that ended.
bool down(session_pointer self, const caf::down_msg& down);
/// The next hop takes nothing more.
void overdue(session_pointer self);

}  // namespace edges

namespace handing {

/// Sends the state after a step to a substitute, beside whatever the session does.
caf::result<taken> begin(session_pointer self, const hand_over_request& request);
/// Of a session that takes over: keys and values, or outputs.
caf::result<taken> take_part(session_pointer self, step& part);
/// True if it was the edge that parts went by.
bool down(session_pointer self, const caf::down_msg& down);
/// The substitute said no to a part; true if it was one.
bool refused(session_pointer self, const step_refused& why);

}  // namespace handing
}  // namespace corolla::actors
