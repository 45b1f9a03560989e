#include <iomanip>
#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "model/checkpoint.hpp"
#include "runtime/client.hpp"
#include "runtime/commands/parse.hpp"
#include "runtime/commands/swarm_flags.hpp"
#include "runtime/errors.hpp"
#include "runtime/route_report.hpp"
#include "runtime/swarm_records.hpp"
#include "runtime/units.hpp"

namespace corolla::runtime::commands {
namespace {

using actors::peer_id;
using nlohmann::ordered_json;

struct route_flags {
  std::string model;
  swarm_flags swarm;
  std::vector<std::string> allow, block, without, slow;
  uint32_t max_length = 0;
  bool explain = false, json = false;

  void add_to(CLI::App& app);
  route_changes changes() const;
};

void route_flags::add_to(CLI::App& app) {
  app.add_option("--model", model, "Hugging Face folder or GGUF file")->required();
  swarm.add_to(app);
  app.add_option("--allow", allow, "ids of the servers to use, with commas between, and no others")->delimiter(',');
  app.add_option("--block", block, "ids of servers not to use, with commas between")->delimiter(',');
  app.add_option("--max-length", max_length, "tokens that the session is to hold: full servers are used last")
      ->capture_default_str();
  app.add_option("--without", without, "also tells the route if these servers left: ids with commas between")
      ->delimiter(',');
  app.add_option("--slow", slow, "also tells the route if a step took longer at a server: ID=50ms; may be given again")
      ->delimiter(',');
  app.add_flag("--explain", explain, "for each hop its times, and what the route would be without it");
  app.add_flag("--json", json, "prints one object with all of it");
}

std::vector<peer_id> parse_ids(const std::string& option, const std::vector<std::string>& texts) {
  std::vector<peer_id> ids;
  for (const auto& text : checked_ids(option, texts)) ids.push_back(*peer_id::parse(text));
  return ids;
}

route_changes route_flags::changes() const {
  route_changes result;
  result.without = parse_ids("--without", without);
  for (const auto& text : slow) {
    const auto middle = text.find('=');
    const auto peer = peer_id::parse(text.substr(0, middle));
    const auto time = middle == std::string::npos ? std::nullopt : parse_time(text.substr(middle + 1));
    if (!peer || !time) throw usage_error("--slow wants a peer's id and a time, ID=50ms, not \"" + text + "\"");
    result.slow.emplace_back(*peer, std::chrono::ceil<std::chrono::microseconds>(*time));
  }
  return result;
}

/// A change at a server that is not there would silently change nothing.
void check_known(const std::vector<actors::server_record>& servers, const route_changes& changes) {
  const auto check = [&](const peer_id& peer) {
    for (const auto& server : servers)
      if (server.peer == peer) return;
    throw client_error("the swarm has no server " + peer.to_string());
  };
  for (const auto& peer : changes.without) check(peer);
  for (const auto& [peer, time] : changes.slow) check(peer);
}

ordered_json to_json(const reported_route& route) {
  if (!route.problem.empty()) return {{"problem", route.problem}};
  auto hops = ordered_json::array();
  for (const auto& hop : route.hops) {
    ordered_json entry{
        {"peer", hop.peer.to_string()},
        {"blocks", {hop.blocks.begin, hop.blocks.end}},
        {"way_ms", hop.cost.way * 1000},
        {"way_measured", hop.cost.way_measured},
        {"queue_ms", hop.cost.queue * 1000},
        {"compute_ms", hop.cost.compute * 1000},
        {"speed_announced", hop.cost.speed_announced},
        {"seems_full", hop.cost.seems_full}};
    if (hop.gap_without.empty())
      entry["tokens_per_s_without"] = hop.tokens_per_s_without;
    else
      entry["gap_without"] = hop.gap_without;
    hops.push_back(std::move(entry));
  }
  return {
      {"hops", std::move(hops)},
      {"last_way_ms", route.last_way_s * 1000},
      {"last_way_measured", route.last_way_measured},
      {"step_ms", route.step_s * 1000},
      {"tokens_per_s", route.tokens_per_s}};
}

std::string fixed(double value, const char* behind = "") {
  std::ostringstream text;
  text << std::fixed << std::setprecision(value < 10 ? 2 : 1) << value << behind;
  return text.str();
}

/// What nobody measured or announced is only assumed.
std::string milliseconds(double seconds, bool known = true) {
  return fixed(seconds * 1000, known ? "" : "?");
}

void print_explained(const reported_route& route) {
  const auto line = [](const std::string& blocks, const std::string& peer, const std::string& way,
                       const std::string& queue, const std::string& compute, const std::string& without) {
    std::cout << "  " << std::left << std::setw(9) << blocks << std::setw(54) << peer << std::right << std::setw(8)
              << way << std::setw(9) << queue << std::setw(12) << compute << "  " << without << '\n';
  };
  line("blocks", "server", "way ms", "queue ms", "compute ms", "without it");
  bool guessed = !route.last_way_measured;
  for (const auto& hop : route.hops) {
    const auto& cost = hop.cost;
    guessed = guessed || !cost.way_measured || !cost.speed_announced;
    auto without = hop.gap_without.empty() ? fixed(hop.tokens_per_s_without, " tokens/s") : hop.gap_without;
    if (cost.seems_full) without += "; it seems full";
    line(
        to_string(hop.blocks), hop.peer.to_string(), milliseconds(cost.way, cost.way_measured),
        milliseconds(cost.queue), milliseconds(cost.compute, cost.speed_announced), without);
  }
  line("", "back to the client", milliseconds(route.last_way_s, route.last_way_measured), "", "", "");
  if (guessed) std::cout << "  (? is assumed: nobody has measured it)\n";
}

void print(const std::string& what, const reported_route& route, bool explain) {
  if (!route.problem.empty()) {
    std::cout << what << ": none, " << route.problem << '\n';
    return;
  }
  std::cout << what << ": " << fixed(route.tokens_per_s) << " tokens/s, " << milliseconds(route.step_s)
            << " ms a token through " << route.hops.size() << (route.hops.size() == 1 ? " server\n" : " servers\n");
  if (explain) return print_explained(route);
  for (const auto& hop : route.hops) std::cout << "  " << to_string(hop.blocks) << ' ' << hop.peer.to_string() << '\n';
}

}  // namespace

int route(const arguments& args) {
  CLI::App app{
      "Tells which servers a client would choose now, and the tokens/s that they give as far as the swarm's records "
      "tell.  What the client itself computes is not in it.",
      "route"};
  route_flags flags;
  flags.add_to(app);
  if (!parse(app, args)) return exit_done;
  const auto swarm = flags.swarm.options();
  const auto& peers = flags.swarm.peers();
  if (peers.empty()) throw usage_error("give --peers with a node of the swarm, corolla://ID@HOST:PORT");
  const auto changes = flags.changes();
  actors::route_options options;
  options.allow = parse_ids("--allow", flags.allow);
  options.block = parse_ids("--block", flags.block);
  options.max_length = flags.max_length;
  const auto source = model::checkpoint::open(flags.model);
  actors::route_model about{source->name(), source->digests(), 0};
  options.blocks = {0, static_cast<uint32_t>(about.digests.blocks.size())};
  const auto [servers, ways] = read_records_and_ways(swarm, peers, about, options);
  check_known(servers, changes);
  const auto report = report_route(servers, about, options, changes, ways);
  if (!report.now.problem.empty() && !report.changed) throw client_error(report.now.problem);
  if (flags.json) {
    ordered_json object{{"model", about.name}, {"servers", servers.size()}, {"route", to_json(report.now)}};
    if (report.changed) object["changed"] = to_json(*report.changed);
    std::cout << object << '\n';
    return exit_done;
  }
  print("route", report.now, flags.explain);
  if (report.changed) print("with the changes asked for", *report.changed, flags.explain);
  return exit_done;
}

}  // namespace corolla::runtime::commands
