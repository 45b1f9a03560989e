// Which route a client would take now, what it would give, and what would become of it if servers left or slowed down.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/route_plan.hpp"

namespace corolla::runtime {

/// What the client itself computes is in none of the times.
struct reported_hop {
  actors::peer_id peer;
  model::block_range blocks;
  actors::hop_estimate cost;  ///< in seconds
  /// Of the cheapest route without this server; 0 where there is none, and `gap_without` says what is missing.
  double tokens_per_s_without = 0;
  std::string gap_without;
};
struct reported_route {
  std::vector<reported_hop> hops;
  double last_way_s = 0;
  bool last_way_measured = false;
  double step_s = 0;
  double tokens_per_s = 0;
  /// Why there is no route; the rest is empty then.
  std::string problem;
};

/// What is asked besides.
struct route_changes {
  std::vector<actors::peer_id> without;
  std::vector<std::pair<actors::peer_id, std::chrono::microseconds>> slow;  ///< by how much longer a step takes there

  bool any() const { return !without.empty() || !slow.empty(); }
};

struct route_report {
  reported_route now;
  std::optional<reported_route> changed;  ///< with the changes asked for
};

/// From what the records and the client's own pings say, by the very plan that a client makes.
route_report report_route(
    const std::vector<actors::server_record>& servers, const actors::route_model& model,
    const actors::route_options& options, const route_changes& changes,
    const std::vector<actors::ping_time>& ways = {});

}  // namespace corolla::runtime
