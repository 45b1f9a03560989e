#include <iomanip>
#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "runtime/commands/parse.hpp"
#include "runtime/commands/swarm_flags.hpp"
#include "runtime/errors.hpp"
#include "runtime/swarm_view.hpp"

namespace corolla::runtime::commands {
namespace {

using nlohmann::ordered_json;

/// Enough of an id to find it in the list of servers.
std::string brief(const std::string& peer) {
  return peer.substr(0, 12);
}

std::string figure(double value) {
  if (value <= 0) return "-";
  std::ostringstream out;
  out << std::fixed << std::setprecision(value < 10 ? 2 : value < 100 ? 1 : 0) << value;
  return out.str();
}

std::string span_of(uint32_t begin, uint32_t end) {
  return std::to_string(begin) + ":" + std::to_string(end);
}

ordered_json to_json(const seen_model& model) {
  ordered_json result{{"name", model.name}, {"digest", model.digest}, {"blocks", model.blocks}};
  auto& holders = result["holders"] = ordered_json::array();
  for (const auto& part : holders_of(model))
    holders.push_back({{"begin", part.begin}, {"end", part.end}, {"peers", part.peers}});
  auto& servers = result["servers"] = ordered_json::array();
  for (const auto& s : model.servers) {
    auto pings = ordered_json::array();
    for (const auto& ping : s.pings) pings.push_back({{"peer", ping.peer}, {"ms", ping.ms}});
    servers.push_back(
        {{"peer", s.peer},
         {"addresses", s.addresses},
         {"begin", s.begin},
         {"end", s.end},
         {"state", s.state},
         {"dtype", s.dtype},
         {"numerics", s.numerics},
         {"steps_per_s", s.steps_per_s},
         {"forward_per_s", s.forward_per_s},
         {"load", s.load},
         {"cache_tokens", s.cache_tokens},
         {"free_tokens", s.free_tokens},
         {"pings", pings},
         {"software", s.software}});
  }
  return result;
}

void print(const seen_model& model) {
  std::cout << model.name << '@' << model.digest.substr(0, 12) << "  " << model.blocks << " blocks\n\n";
  std::cout << std::left << std::setw(12) << "blocks"
            << "held by\n";
  for (const auto& part : holders_of(model)) {
    std::cout << std::setw(12) << span_of(part.begin, part.end);
    if (part.peers.empty()) std::cout << "nobody";
    for (const auto& peer : part.peers) std::cout << brief(peer) << (&peer == &part.peers.back() ? "" : " ");
    std::cout << '\n';
  }
  std::cout << '\n'
            << std::setw(14) << "server" << std::setw(12) << "blocks" << std::setw(10) << "state" << std::right
            << std::setw(9) << "steps/s" << std::setw(11) << "prompt/s" << std::setw(16) << "cache free" << std::setw(7)
            << "load" << std::left << "  " << std::setw(16) << "software"
            << "address\n";
  for (const auto& s : model.servers) {
    std::ostringstream load;
    load << std::fixed << std::setprecision(0) << s.load * 100 << '%';
    std::cout << std::setw(14) << brief(s.peer) << std::setw(12) << span_of(s.begin, s.end) << std::setw(10) << s.state
              << std::right << std::setw(9) << figure(s.steps_per_s) << std::setw(11) << figure(s.forward_per_s)
              << std::setw(16) << (std::to_string(s.free_tokens) + "/" + std::to_string(s.cache_tokens)) << std::setw(7)
              << load.str() << std::left << "  " << std::setw(16) << s.software
              << (s.addresses.empty() ? "-" : s.addresses.front()) << '\n';
  }
}

}  // namespace

int swarm(const arguments& args) {
  CLI::App app{"Tells who serves which blocks of which model: blocks that nobody holds come first.", "swarm"};
  swarm_flags flags;
  bool json = false;
  flags.add_to(app);
  app.add_flag("--json", json, "prints one object");
  if (!parse(app, args)) return exit_done;
  const auto options = flags.options();
  if (!flags.has_peers()) throw usage_error("give --peers with a node of the swarm, corolla://ID@HOST:PORT");
  const auto models = look_at_swarm(options, flags.peers());
  if (json) {
    ordered_json result{{"models", ordered_json::array()}};
    for (const auto& model : models) result["models"].push_back(to_json(model));
    std::cout << result.dump(2, ' ', false, ordered_json::error_handler_t::replace) << '\n';
    return exit_done;
  }
  if (models.empty()) std::cout << "no server is known there\n";
  for (const auto& model : models) {
    if (&model != &models.front()) std::cout << '\n';
    print(model);
  }
  return exit_done;
}

}  // namespace corolla::runtime::commands
