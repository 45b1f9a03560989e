#include "actors/route_plan.hpp"

#include <algorithm>
#include <limits>

#include "actors/known_ways.hpp"
#include "actors/policy/ring.hpp"
#include "actors/policy/route_planner.hpp"

namespace corolla::actors {
namespace {

using round_trips = std::map<peer_id, std::chrono::microseconds>;

/// Seconds a block takes at a server that has not said how fast it is.
constexpr double assumed_per_block = 0.001;
/// Round trips are known to within about that, and each server more can be lost.
constexpr double least_saving_of_a_hop = 0.001;
/// A server that never pauses would have a queue without end.
constexpr double highest_load = 0.95;

double seconds(std::chrono::microseconds time) {
  return std::chrono::duration<double>(time).count();
}

/// A span of a model with as many blocks.
bool same_shape(const server_record& server, const route_model& model) {
  return server.model_blocks == model.digests.blocks.size() && !server.blocks.empty() &&
         server.blocks.end <= server.model_blocks;
}

/// Same weights, whatever the file they came from says of the rest of the model.
bool same_weights(const server_record& server, const route_model& model) {
  if (!same_shape(server, model)) return false;
  // Both digests are the server's word, and it checks the blocks' own when it is asked to open: hashing them here for
  // every server of a large swarm would take longer than to plan.
  return server.model == model.digests.model || server.blocks_digest == model::of_blocks(model.digests, server.blocks);
}

/// The list of the user's that leaves a server out; null if none does.
const char* left_out_by(const route_options& options, const peer_id& peer) {
  auto holds = [&](const std::vector<peer_id>& list) {
    return std::find(list.begin(), list.end(), peer) != list.end();
  };
  if (holds(options.block)) return "the block list";
  if (!options.allow.empty() && !holds(options.allow)) return "the allow list";
  return nullptr;
}

bool covers(const server_record& server, const std::vector<policy::blocks>& missing) {
  return std::any_of(missing.begin(), missing.end(), [&](const policy::blocks& range) {
    return server.blocks.begin < range.end && range.begin < server.blocks.end;
  });
}

double per_block(const server_record& record) {
  return record.steps_per_s > 0 ? 1.0 / (double{record.steps_per_s} * record.blocks.size()) : assumed_per_block;
}

/// Of each further token of a step of several.
double further_per_block(const server_record& record) {
  if (record.forward_per_s > 0) return 1.0 / (double{record.forward_per_s} * record.blocks.size());
  return per_block(record);
}

double queue(const server_record& record, double own) {
  auto load = double{record.load} - own;
  // What is no number counts as the worst.
  if (!(load >= 0 && load < highest_load)) load = load < 0 ? 0 : highest_load;
  return load / (2 * (1 - load)) * per_block(record) * record.blocks.size();
}

std::optional<double> lookup(const round_trips& known, const peer_id& peer) {
  auto found = known.find(peer);
  if (found == known.end()) return std::nullopt;
  return seconds(found->second);
}

/// What a step of one token carries, at the most.
double step_bytes(const route_model& model, const route_options& options) {
  return static_cast<double>(model.hidden_size) * options.batch * sizeof(float);
}

/// Who may be used, and what is known of the ways between them.
struct candidates {
  candidates(
      const std::vector<server_record>& servers, const route_model& model, const route_options& options,
      const route_knowledge& about)
      : known(about),
        usable(select(servers, model, options, about)),
        ways(usable, besides(about), step_bytes(model, options)) {
    for (size_t i = 0; i < usable.size(); ++i) {
      auto& record = *usable[i];
      auto& server = list.emplace_back();
      server.span = {record.blocks.begin, record.blocks.end};
      server.per_block = per_block(record);
      const auto own = known.own_load.find(record.peer);
      const bool serves = own != known.own_load.end();
      server.queue = queue(record, serves ? own->second : 0) + lookup(known.slower, record.peer).value_or(0);
      server.source_round_trip = lookup(known.source, record.peer).value_or(ways.assumed());
      server.sink_round_trip = lookup(known.sink, record.peer).value_or(ways.assumed());
      server.least_round_trip = ways.least_into(i);
      server.free_tokens = serves ? std::numeric_limits<uint64_t>::max() : record.free_tokens;
      if (known.banned.contains(record.peer)) server.used = policy::standing::last_choice;
    }
  }

  static std::vector<const server_record*> select(
      const std::vector<server_record>& servers, const route_model& model, const route_options& options,
      const route_knowledge& about) {
    std::vector<const server_record*> result;
    for (auto& server : servers)
      if (!about.excluded.contains(server.peer) && server.state == server_state::online &&
          !left_out_by(options, server.peer) && same_weights(server, model))
        result.push_back(&server);
    return result;
  }

  static std::vector<double> besides(const route_knowledge& about) {
    std::vector<double> result;
    for (auto* part : {&about.source, &about.sink})
      for (auto& [peer, time] : *part) result.push_back(seconds(time));
    return result;
  }

  const route_knowledge& known;
  std::vector<const server_record*> usable;
  known_ways ways;
  std::vector<policy::server> list;
};

std::string list(const std::vector<policy::blocks>& missing) {
  std::string text;
  for (auto& range : missing)
    text += (text.empty() ? "" : ", ") + model::to_string(model::block_range{range.begin, range.end});
  return text;
}

caf::error missing_error(
    const std::vector<server_record>& servers, const route_model& model, const route_options& options,
    const std::vector<policy::blocks>& missing) {
  auto sentence = "blocks " + list(missing) + " have no server";
  const server_record* other_weights = nullptr;
  for (auto& server : servers) {
    if (!covers(server, missing)) continue;
    auto is_same = same_weights(server, model);
    if (auto by = left_out_by(options, server.peer); by && is_same && server.state == server_state::online)
      return make_error(
          errc::missing_blocks, sentence + ": " + by + " leaves out " + server.peer.to_string() + ", which serves " +
                                    to_string(server.blocks));
    if (!is_same && !other_weights && same_shape(server, model)) other_weights = &server;
  }
  if (!other_weights) return make_error(errc::missing_blocks, std::move(sentence));
  sentence += ": " + other_weights->peer.to_string() + " serves " + to_string(other_weights->blocks) + " of " +
              other_weights->model_name + "@" + model::to_hex(other_weights->model, 6) +
              ", and this client's model is " + model.name + "@" + model::to_hex(model.digests.model, 6);
  return make_error(errc::model_mismatch, std::move(sentence));
}

route_estimate estimate(const candidates& from, const policy::plan& plan, const policy::plan_request& request) {
  route_estimate result;
  for (size_t i = 0; i < plan.hops.size(); ++i) {
    auto& hop = plan.hops[i];
    auto& record = *from.usable[hop.server];
    auto& server = from.list[hop.server];
    hop_estimate cost;
    cost.queue = server.queue;
    cost.compute = server.per_block * (hop.span.end - hop.span.begin);
    cost.further = further_per_block(record) * (hop.span.end - hop.span.begin);
    cost.speed_announced = record.steps_per_s > 0;
    cost.seems_full = server.free_tokens < request.needed_tokens;
    if (i == 0) {
      cost.way = server.source_round_trip / 2;
      cost.way_measured = from.known.source.contains(record.peer);
    } else {
      auto before = plan.hops[i - 1].server;
      cost.way = from.ways.between(before, hop.server) / 2;
      cost.way_measured = from.ways.measured(before, hop.server).has_value();
    }
    result.hops.push_back({record.peer, {hop.span.begin, hop.span.end}, record.dtype});
    result.costs.push_back(cost);
  }
  auto& last = result.hops.back().peer;
  result.last_way = from.list[plan.hops.back().server].sink_round_trip / 2;
  result.last_way_measured = from.known.sink.contains(last);
  return result;
}

}  // namespace

double route_estimate::seconds() const {
  auto sum = last_way;
  for (auto& cost : costs) sum += cost.way + cost.queue + cost.compute;
  return sum;
}

double route_estimate::seconds_further() const {
  double sum = 0;
  for (auto& cost : costs) sum += cost.further;
  return sum;
}

bool route_estimate::speed_announced() const {
  return std::all_of(costs.begin(), costs.end(), [](const hop_estimate& cost) { return cost.speed_announced; });
}

std::variant<route_estimate, caf::error> estimate_route(
    const std::vector<server_record>& servers, const route_model& model, const route_options& options,
    const route_knowledge& known) {
  const candidates from{servers, model, options, known};
  policy::plan_request request;
  request.wanted = {options.blocks.begin, options.blocks.end};
  request.needed_tokens = uint64_t{options.batch} * options.max_length;
  request.hop_cost = least_saving_of_a_hop;
  auto plan =
      policy::plan_route(from.list, request, [&](size_t near, size_t far) { return from.ways.between(near, far); });
  if (plan.hops.empty()) return missing_error(servers, model, options, plan.missing);
  return estimate(from, plan, request);
}

std::optional<route_estimate> estimate_chain(
    const std::vector<server_record>& servers, const route_model& model, const route_options& options,
    const route_knowledge& known, const std::vector<planned_hop>& hops) {
  const candidates from{servers, model, options, known};
  policy::plan chain;
  for (auto& hop : hops) {
    auto found = std::find_if(
        from.usable.begin(), from.usable.end(), [&](const server_record* record) { return record->peer == hop.peer; });
    if (found == from.usable.end()) return std::nullopt;
    chain.hops.push_back({static_cast<size_t>(found - from.usable.begin()), {hop.blocks.begin, hop.blocks.end}});
  }
  if (chain.hops.empty()) return std::nullopt;
  return estimate(from, chain, {});
}

double own_load(uint32_t computing, uint32_t from_step_to_step) {
  return from_step_to_step == 0 ? 0 : static_cast<double>(computing) / from_step_to_step;
}

std::variant<std::vector<planned_hop>, caf::error> plan_hops(
    const std::vector<server_record>& servers, const route_model& model, const route_options& options,
    const std::set<peer_id>& excluded) {
  route_knowledge known;
  known.excluded = excluded;
  auto planned = estimate_route(servers, model, options, known);
  if (auto* reason = std::get_if<caf::error>(&planned)) return std::move(*reason);
  return std::move(std::get<route_estimate>(planned).hops);
}

std::vector<peer_id> ends_to_measure(
    const std::vector<server_record>& servers, const route_model& model, const route_options& options,
    const peer_id& start) {
  constexpr size_t of_each = 4;
  const auto usable = candidates::select(servers, model, options, {});
  std::vector<peer_id> result;
  for (const auto block : {options.blocks.begin, options.blocks.end - 1}) {
    std::vector<peer_id> holders;
    for (const auto* server : usable)
      if (server->blocks.contains({block, block + 1})) holders.push_back(server->peer);
    for (auto& peer : policy::successors(start, std::move(holders), of_each)) result.push_back(peer);
  }
  return result;
}

void add_far_ones(
    std::vector<ping_time>& measured, const std::vector<peer_id>& wanted, std::chrono::milliseconds patience) {
  for (auto& peer : wanted)
    if (std::none_of(measured.begin(), measured.end(), [&](const ping_time& way) { return way.peer == peer; }))
      measured.push_back({peer, patience / 4});
}

std::map<peer_id, std::chrono::microseconds> ways_to(const std::vector<ping_time>& measured) {
  round_trips result;
  for (auto& way : measured) result[way.peer] = way.round_trip;
  return result;
}

std::map<peer_id, std::chrono::microseconds> ways_from(
    const std::vector<ping_time>& measured, const route_model& model, const route_options& options) {
  auto result = ways_to(measured);
  for (auto& way : measured)
    if (way.bytes_per_s > 0)
      // A plan takes half of a round trip for a way.
      result[way.peer] += std::chrono::ceil<std::chrono::microseconds>(
          std::chrono::duration<double>(2 * step_bytes(model, options) / double{way.bytes_per_s}));
  return result;
}

std::map<peer_id, std::chrono::microseconds> round_trips_of(
    const std::vector<server_record>& servers, const peer_id& peer) {
  round_trips result;
  for (auto& server : servers)
    for (auto& ping : server.pings)
      if (ping.round_trip.count() < 0)
        continue;
      else if (server.peer == peer)
        result[ping.peer] = ping.round_trip;
      else if (ping.peer == peer)
        result.emplace(server.peer, ping.round_trip);
  return result;
}

}  // namespace corolla::actors
