// From what the directory says to the hops of a route, or the sentence that says why there is none.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "actors/route_actor.hpp"

namespace corolla::actors {

struct planned_hop {
  peer_id peer;
  model::block_range blocks;
  model::dtype dtype = model::dtype::float32;  ///< what the server computes with: its outputs travel as this
  bool operator==(const planned_hop&) const = default;
};

/// What whoever plans knows besides the records.
struct route_knowledge {
  /// Not used: they refused, say.
  std::set<peer_id> excluded;
  /// Used only for blocks that no other server holds (policy/ban_list).
  std::set<peer_id> banned;
  /// Round trips between servers and whoever feeds the first hop, and whoever takes from the last: the client where a
  /// whole route is planned, the neighbours of the gap where a part of one is (`round_trips_of`).
  std::map<peer_id, std::chrono::microseconds> source, sink;
  /// Serve the route already: they have the room that it needs, whatever they announce, and this part of their load is
  /// its own.
  std::map<peer_id, double> own_load;
  /// By how much longer than announced a step takes at a server.
  std::map<peer_id, std::chrono::microseconds> slower;
};

/// What one decode step costs at a hop, in seconds, and how well that is known.
struct hop_estimate {
  double way = 0;      ///< from the hop before it, or from the source: half a round trip
  double queue = 0;    ///< waiting for its turn
  double compute = 0;  ///< its blocks
  double further = 0;  ///< each further token of a longer step
  bool way_measured = false;
  bool speed_announced = false;
  /// It announced less free cache than the route needs, and there was no better choice.
  bool seems_full = false;
};

struct route_estimate {
  std::vector<planned_hop> hops;
  std::vector<hop_estimate> costs;  ///< one for each hop
  double last_way = 0;              ///< from the last hop to the sink
  bool last_way_measured = false;

  /// Of one decode step through all hops.
  double seconds() const;
  /// Of each further token of a longer step.
  double seconds_further() const;
  /// All servers have said how fast they are.
  bool speed_announced() const;
};

/// The cheapest chain over `options.blocks` of servers that are online, hold the very weights of `model`, and that the
/// allow-list and block-list of `options` let through.  Estimated from what the records announce:
/// - compute: blocks × 1/(steps_per_s × blocks of the span);
/// - queue: the mean wait of an M/D/1 queue (Pollaczek and Khinchine's formula for a constant time of service), load /
///   (2 × (1 - load)) × the time of a pass through the server's whole span, with load at most 0.95;
/// - a way between two servers: half the round trip that the one before announces, else the one behind, and what the
///   bytes of a token take where the one behind has said how fast they come from there; else an assumed one: the median
///   of all that are known, and 1 ms where none is.
/// A further hop has to save a millisecond more than it costs.
/// Errors: missing_blocks ("blocks 16:24 have no server", and which list left out one that serves them),
/// model_mismatch (naming both digests) where servers of other weights would have covered them.
std::variant<route_estimate, caf::error> estimate_route(
    const std::vector<server_record>& servers, const route_model& model, const route_options& options,
    const route_knowledge& known);

/// The same of a chain as it is; nothing where one of its servers could not be used any more.
std::optional<route_estimate> estimate_chain(
    const std::vector<server_record>& servers, const route_model& model, const route_options& options,
    const route_knowledge& known, const std::vector<planned_hop>& hops);

/// The part of its time that a server spends on a route that it serves: microseconds of a step computed there, by those
/// from one step to the next.  0 where no step was seen.
double own_load(uint32_t computing, uint32_t from_step_to_step);

/// The hops of that chain alone, where nothing is known besides the records but who is `excluded`.
std::variant<std::vector<planned_hop>, caf::error> plan_hops(
    const std::vector<server_record>& servers, const route_model& model, const route_options& options,
    const std::set<peer_id>& excluded);

/// Which servers a client should know its way to before it plans: some that hold the first block, and some that hold
/// the last, those that follow `start` in the circle of ids.
std::vector<peer_id> ends_to_measure(
    const std::vector<server_record>& servers, const route_model& model, const route_options& options,
    const peer_id& start);

/// Servers that were asked for and are not among the measured, since linking to them and a ping took too long: a round
/// trip there is a quarter of that time at the least, and is taken for it.
void add_far_ones(
    std::vector<ping_time>& measured, const std::vector<peer_id>& wanted, std::chrono::milliseconds patience);

/// Ways that a client measured itself, as round trips to where it sends, and from where it receives what a token's step
/// carries.
std::map<peer_id, std::chrono::microseconds> ways_to(const std::vector<ping_time>& measured);
std::map<peer_id, std::chrono::microseconds> ways_from(
    const std::vector<ping_time>& measured, const route_model& model, const route_options& options);

/// Round trips between `peer` and other servers, as it announces them, else as they do.
std::map<peer_id, std::chrono::microseconds> round_trips_of(
    const std::vector<server_record>& servers, const peer_id& peer);

}  // namespace corolla::actors
