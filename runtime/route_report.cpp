#include "runtime/route_report.hpp"

namespace corolla::runtime {
namespace {

using namespace actors;

struct question {
  const std::vector<server_record>& servers;
  const route_model& model;
  const route_options& options;
};

double rate(double step_s) {
  return step_s > 0 ? 1 / step_s : 0;
}

reported_route report(const question& about, const route_knowledge& known) {
  reported_route result;
  const auto planned = estimate_route(about.servers, about.model, about.options, known);
  if (const auto* reason = std::get_if<caf::error>(&planned)) {
    result.problem = sentence(*reason);
    return result;
  }
  const auto& route = std::get<route_estimate>(planned);
  result.last_way_s = route.last_way;
  result.last_way_measured = route.last_way_measured;
  result.step_s = route.seconds();
  result.tokens_per_s = rate(result.step_s);
  for (size_t i = 0; i < route.hops.size(); ++i) {
    reported_hop hop{route.hops[i].peer, route.hops[i].blocks, route.costs[i], 0, {}};
    auto rest = known;
    rest.excluded.insert(hop.peer);
    const auto other = estimate_route(about.servers, about.model, about.options, rest);
    if (const auto* reason = std::get_if<caf::error>(&other))
      hop.gap_without = sentence(*reason);
    else
      hop.tokens_per_s_without = rate(std::get<route_estimate>(other).seconds());
    result.hops.push_back(std::move(hop));
  }
  return result;
}

}  // namespace

route_report report_route(
    const std::vector<server_record>& servers, const route_model& model, const route_options& options,
    const route_changes& changes, const std::vector<ping_time>& ways) {
  const question about{servers, model, options};
  route_knowledge known;
  known.source = ways_to(ways);
  known.sink = ways_from(ways, model, options);
  route_report result{report(about, known), std::nullopt};
  if (!changes.any()) return result;
  auto changed = known;
  changed.excluded = {changes.without.begin(), changes.without.end()};
  for (const auto& [peer, time] : changes.slow) changed.slower[peer] += time;
  result.changed = report(about, changed);
  return result;
}

}  // namespace corolla::runtime
