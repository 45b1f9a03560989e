#include "actors/route_plan.hpp"

#include "actors/policy/route_planner.hpp"

namespace corolla::actors {
namespace {

/// Until round trips are measured every way between two machines counts alike: fewer hops are better.
constexpr double assumed_round_trip = 0.001;
/// Seconds a block takes at a server that has not said how fast it is.
constexpr double assumed_per_block = 0.001;

/// Same weights, whatever the file they came from says of the rest of the model.
bool same_weights(const server_record& server, const route_model& model) {
  return server.model_blocks == model.digests.blocks.size() &&
         server.blocks_digest == model::of_blocks(model.digests, server.blocks);
}

policy::server to_policy(const server_record& record) {
  policy::server result;
  result.span = {record.blocks.begin, record.blocks.end};
  result.per_block =
      record.steps_per_s > 0 ? 1.0 / (double{record.steps_per_s} * record.blocks.size()) : assumed_per_block;
  result.source_round_trip = result.sink_round_trip = assumed_round_trip;
  result.free_tokens = record.free_tokens;
  return result;
}

std::string list(const std::vector<policy::blocks>& missing) {
  std::string text;
  for (auto& range : missing)
    text += (text.empty() ? "" : ", ") + model::to_string(model::block_range{range.begin, range.end});
  return text;
}

/// A server of other weights that would have covered a missing block, if there is one.
const server_record* look_alike(
    const std::vector<server_record>& servers, const route_model& model, const std::vector<policy::blocks>& missing) {
  for (auto& server : servers)
    for (auto& range : missing)
      if (!same_weights(server, model) && server.model_blocks == model.digests.blocks.size() &&
          server.blocks.begin < range.end && range.begin < server.blocks.end)
        return &server;
  return nullptr;
}

caf::error missing_error(
    const std::vector<server_record>& servers, const route_model& model, const std::vector<policy::blocks>& missing) {
  auto sentence = "blocks " + list(missing) + " have no server";
  auto other = look_alike(servers, model, missing);
  if (!other) return make_error(errc::missing_blocks, std::move(sentence));
  sentence += ": " + other->peer.to_string() + " serves " + to_string(other->blocks) + " of " + other->model_name +
              "@" + model::to_hex(other->model, 6) + ", and this client's model is " + model.name + "@" +
              model::to_hex(model.digests.model, 6);
  return make_error(errc::model_mismatch, std::move(sentence));
}

}  // namespace

std::variant<std::vector<planned_hop>, caf::error> plan_hops(
    const std::vector<server_record>& servers, const route_model& model, const route_options& options,
    const std::set<peer_id>& excluded) {
  std::vector<const server_record*> usable;
  std::vector<policy::server> candidates;
  for (auto& server : servers) {
    if (excluded.contains(server.peer) || server.state != server_state::online || !same_weights(server, model))
      continue;
    usable.push_back(&server);
    candidates.push_back(to_policy(server));
  }
  policy::plan_request request;
  request.wanted = {options.blocks.begin, options.blocks.end};
  request.needed_tokens = uint64_t{options.batch} * options.max_length;
  auto plan = policy::plan_route(candidates, request, [](size_t, size_t) { return assumed_round_trip; });
  if (plan.hops.empty()) return missing_error(servers, model, plan.missing);
  std::vector<planned_hop> hops;
  for (auto& hop : plan.hops) {
    auto& server = *usable[hop.server];
    hops.push_back({server.peer, {hop.span.begin, hop.span.end}, server.dtype});
  }
  return hops;
}

}  // namespace corolla::actors
