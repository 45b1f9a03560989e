// From what the directory says to the hops of a route, or the sentence that says why there is none.
#pragma once

#include <set>
#include <variant>
#include <vector>

#include "actors/route_actor.hpp"

namespace corolla::actors {

struct planned_hop {
  peer_id peer;
  model::block_range blocks;
  model::dtype dtype = model::dtype::float32;  ///< what the server computes with: its outputs travel as this
};

/// The cheapest chain over `options.blocks` of servers that hold the very weights of `model`, without those `excluded`.
/// Errors: missing_blocks ("blocks 16:24 have no server"), model_mismatch (naming both digests) where servers of other
/// weights would have covered them.
std::variant<std::vector<planned_hop>, caf::error> plan_hops(
    const std::vector<server_record>& servers, const route_model& model, const route_options& options,
    const std::set<peer_id>& excluded);

}  // namespace corolla::actors
