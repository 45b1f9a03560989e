// The cheapest chain of servers through a range of blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace corolla::actors::policy {

/// Blocks [begin, end).
struct blocks {
  uint32_t begin = 0;
  uint32_t end = 0;
  bool operator==(const blocks&) const = default;
};

enum class standing : uint8_t {
  usable,
  /// Used only for blocks that no usable server holds: one that is banned, say.
  last_choice,
  /// Not used at all.
  excluded,
};

/// What is known of a server.  Times are in seconds; one that is no number from 0 to a million counts as a million,
/// since they come from what strangers say.
struct server {
  blocks span;
  double per_block = 0;          ///< computing one decode step
  double queue = 0;              ///< waiting for its turn there
  double source_round_trip = 0;  ///< from whoever feeds the first hop: the client, where a whole route is planned
  double sink_round_trip = 0;    ///< to whoever takes from the last hop
  /// No other server reaches it faster; a shorter round trip counts as this one.  0 is always right, and what is near
  /// the truth makes planning fast where ways are long.
  double least_round_trip = 0;
  uint64_t free_tokens = 0;
  standing used = standing::usable;
};

struct plan_request {
  blocks wanted;
  uint64_t needed_tokens = 0;
  /// Added for a server that seems full: what it announced may be out of date, so it stays the last choice.
  double full_penalty = 10;
  /// Added for each hop: a chain of more servers is taken only where it saves more than that for each.
  double hop_cost = 0;
};

/// Seconds of a round trip between two servers, named by their place in the list.  Asked as seldom as can be (of a
/// thousand servers a few thousand of the million pairs), never for a server and itself; must give the same each time.
using round_trip = std::function<double(size_t from, size_t to)>;

struct planned_hop {
  size_t server = 0;
  blocks span;
  bool operator==(const planned_hop&) const = default;
};

struct plan {
  std::vector<planned_hop> hops;  ///< empty if blocks are missing
  double seconds = 0;             ///< of one step, as estimated
  std::vector<blocks> missing;    ///< which no server holds, or only excluded ones, in maximal ranges
};

/// Exact: no chain costs less by `source -> S1 + sum (hop_cost + queue + blocks x per_block + S_i -> S_i+1) + S_n ->
/// sink`, with one way taken as half a round trip.  A server may be entered and left anywhere in its span, and come up
/// twice.  Of chains that cost the same one with a server kept for longer is taken.
///
/// How: branch and bound over (block, server).  What is left to be paid from a block on is bounded from below by the
/// same problem with every way into a server as short as the shortest, which takes one step for each block of each
/// server; a chain made greedily bounds the whole from above.  Only what could still be cheaper is looked at.
plan plan_route(const std::vector<server>& servers, const plan_request& request, const round_trip& between);

}  // namespace corolla::actors::policy
