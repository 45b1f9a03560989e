// What a route actor keeps, shared by its parts: steps and events (route_actor), and the mending of its chain
// (route_mending, route_losses): opening is the mending of a route that has no hop yet.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/alarm.hpp"
#include "actors/outlet.hpp"
#include "actors/policy/recent_median.hpp"
#include "actors/policy/step_patience.hpp"
#include "actors/route_actor.hpp"
#include "actors/route_chunks.hpp"
#include "actors/route_plan.hpp"

namespace corolla::actors {

struct hop {
  planned_hop plan;
  session_id session;
  session_control_actor control;
  peer_actor peer;
  uint64_t epoch = 0;    // of the edge into it
  uint64_t applied = 0;  // highest seq that it reported
  bool proved = false;   // it applied a step
  bool lost = false;
  bool leaving = false;     // its server is about to leave
  bool gives_rows = false;  // and could not hand over: the hop before it restores the next
  caf::error refusal;       // of a substitute, to be opened
  bool opened = false;      // of a substitute: it has all that a session begins with
  bool restored = false;    // of a substitute
  policy::recent_median decode_micros;
};

/// A gap on its way to be closed: hops [first, last) of the chain give way to `fresh`.  With no fresh one it is the
/// edge between hops `first - 1` and `first` alone that is replaced.
struct mending {
  uint64_t epoch = 0;
  size_t first = 0, last = 0;
  bool edge_alone = false;
  bool late = false;        // what is replaced may still answer, and then stays
  bool moves = false;       // what is replaced goes on until then
  bool hands_over = false;  // and gives the substitute what it has
  bool committing = false;
  uint64_t done = 0;                // the step whose state is restored; steps carry no higher one meanwhile
  uint32_t position = 0;            // tokens after it
  std::vector<planned_hop> chosen;  // by whom the gap is closed, where that is known before
  std::vector<hop> fresh;
  size_t left_out = 0;  // servers, when it began
  size_t opens_left = 0;
  recovery_report report;
  alarm::time_point begun;
  alarm::time_point due = alarm::never;  // of the answers to the opens, then of the restored rows
};

enum class phase { idle, opening, open, failed };

struct route_state {
  route_state() = default;
  std::optional<route_config> config;
  phase now = phase::idle;
  caf::error failure;
  caf::typed_response_promise<taken> opening;

  // The chain.
  std::vector<hop> hops;
  session_id sink_session;  // of the route's own end
  uint64_t sink_epoch = 0;  // of the edge that outputs come by
  peer_id sink_from;        // and from whom
  std::optional<outlet> out;
  std::optional<outlet> substitute;
  uint64_t epochs = 0;  // given out

  // Mending.
  std::optional<mending> mend;
  std::set<peer_id> excluded;                              // from the plans of this gap
  std::set<session_id> cut_off;                            // hops beside it that a candidate for it cannot reach
  std::map<session_id, std::string> broken;                // edges that are to be replaced, by where they lead, and why
  std::map<session_id, alarm::time_point> edges_replaced;  // when each was
  uint32_t vain_tries = 0;  // since the last output: those that did not even tell whom to leave out
  uint32_t losses = 0;      // since then: of hops
  uint32_t waits = 0;       // since then: nobody was left to try
  caf::error refusal;       // the last, of this gap
  std::string loss;         // the last hop that was lost, and why
  bool waits_for_servers = false;
  alarm::time_point ask_again = alarm::never;  // while it waits
  bool measured = false;                       // ways to servers, while the route was opened
  bool unreached = false;                      // a server was gone or did not answer while the route was opened
  bool move_waits = false;                     // whoever leaves has nobody to go to
  alarm::time_point move_at = alarm::never;    // then it is tried again
  uint32_t moves_in_vain = 0;
  std::optional<uint64_t> objected;  // the step after this one may be the caller's fault, as a hop said
  bool may_be_alone = false;         // a link was lost: maybe the last by which this node hears of servers
  alarm::time_point next_look{};     // for a better route
  uint32_t look_pauses = 1;          // until the one after it
  std::vector<recovery_report> recoveries;

  // Steps.
  std::optional<sent_log> log;  // of the first hop's inputs
  uint64_t sent = 0;            // highest seq in the log
  uint64_t last_alone = 0;      // the latest of them that truncates or reorders
  uint64_t done = 0;
  uint32_t done_position = 0;  // tokens after it
  uint32_t position = 0;       // tokens after the last request
  std::optional<chunked_forward> forward;
  caf::typed_response_promise<forward_reply> answer;
  alarm::time_point deadline = alarm::never;  // of the opening, then of the next output
  policy::step_patience patience;
  policy::recent_median decode_micros;  // from an output to the next, where steps are of one token
  alarm::time_point last_output{};
  alarm::time_point waiting_since{};  // for the next output
  alarm::time_point last_progress{};  // of any hop
  alarm::time_point last_late{};      // somebody was found to be
  int late_rounds = 0;                // in which somebody was late, since the last output
  alarm timer;
  std::deque<applied_event> trace;
  static constexpr const char* name = "route";
};

using route_impl = route_actor::extend<
    caf::reacts_to<refused_atom, step_refused>, caf::reacts_to<tick_atom>, caf::reacts_to<changed_atom>>;
using route_pointer = route_impl::stateful_pointer<route_state>;

/// Ends the route: nothing of it stays at any server, and every later request is answered with why.
void fail(route_pointer self, caf::error reason);
/// Sends what may go.
void pump(route_pointer self);

}  // namespace corolla::actors
