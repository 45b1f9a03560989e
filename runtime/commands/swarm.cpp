#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/commands/parse.hpp"
#include "runtime/commands/swarm_flags.hpp"
#include "runtime/errors.hpp"
#include "runtime/swarm_sessions.hpp"
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

std::string_view state_of(const seen_session& s) {
  return s.restoring ? "restoring" : "running";
}

ordered_json to_json(const seen_model& model) {
  ordered_json result{{"name", model.name}, {"digest", model.digest}, {"blocks", model.blocks}};
  auto& holders = result["holders"] = ordered_json::array();
  for (const auto& part : holders_of(model))
    holders.push_back({{"begin", part.begin}, {"end", part.end}, {"peers", part.peers}, {"leaving", part.leaving}});
  auto& servers = result["servers"] = ordered_json::array();
  for (const auto& s : model.servers) {
    auto pings = ordered_json::array();
    for (const auto& ping : s.pings)
      pings.push_back({{"peer", ping.peer}, {"ms", ping.ms}, {"bytes_per_s", ping.bytes_per_s}});
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
         {"adapters", s.adapters},
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
    std::cout << (part.peers.empty() ? "nobody" : brief(part.peers.front()));
    for (size_t i = 1; i < part.peers.size(); ++i) std::cout << ' ' << brief(part.peers[i]);
    for (const auto& peer : part.leaving) std::cout << ", " << brief(peer) << " leaving";
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

ordered_json to_json(const server_sessions& server) {
  ordered_json result{{"peer", server.peer}, {"model", server.model}, {"begin", server.begin}, {"end", server.end}};
  if (!server.failure.empty()) {
    result["failure"] = server.failure;
    return result;
  }
  result["total"] = server.total;
  auto& sessions = result["sessions"] = ordered_json::array();
  for (const auto& s : server.sessions)
    sessions.push_back(
        {{"session", s.session},
         {"client", s.client},
         {"begin", s.begin},
         {"end", s.end},
         {"state", state_of(s)},
         {"epoch", s.epoch},
         {"applied", s.applied},
         {"steps", s.steps},
         {"dropped", s.dropped},
         {"position", s.position},
         {"restored", s.restored},
         {"client_bytes", s.client_bytes},
         {"server_bytes", s.server_bytes},
         {"log_bytes", s.log_bytes},
         {"age_s", s.age_s}});
  return result;
}

void print(const std::vector<server_sessions>& servers) {
  std::cout << std::left << std::setw(14) << "server" << std::setw(14) << "session" << std::setw(14) << "client"
            << std::setw(10) << "blocks" << std::setw(11) << "state" << std::right << std::setw(9) << "position"
            << std::setw(9) << "applied" << std::setw(9) << "steps" << std::setw(9) << "dropped" << std::setw(9)
            << "restored" << std::setw(14) << "client bytes" << std::setw(14) << "server bytes" << std::setw(9) << "age"
            << '\n';
  for (const auto& server : servers) {
    const auto begin = [&] { std::cout << std::left << std::setw(14) << brief(server.peer); };
    if (!server.failure.empty()) {
      begin();
      std::cout << "does not tell: " << server.failure << '\n';
      continue;
    }
    for (const auto& s : server.sessions) {
      begin();
      std::cout << std::setw(14) << brief(s.session) << std::setw(14) << brief(s.client) << std::setw(10)
                << span_of(s.begin, s.end) << std::setw(11) << state_of(s) << std::right << std::setw(9) << s.position
                << std::setw(9) << s.applied << std::setw(9) << s.steps << std::setw(9) << s.dropped << std::setw(9)
                << s.restored << std::setw(14) << s.client_bytes << std::setw(14) << s.server_bytes << std::setw(8)
                << figure(s.age_s) << "s\n";
    }
    if (server.sessions.empty() || server.total > server.sessions.size()) {
      begin();
      std::cout << (server.sessions.empty() ? "no session"
                                            : "and " + std::to_string(server.total - server.sessions.size()) + " more")
                << '\n';
    }
  }
}

int tell_sessions(const swarm_options& options, const std::vector<std::string>& peers, bool json) {
  const auto servers = look_at_sessions(options, peers);
  if (json) {
    ordered_json result{{"servers", ordered_json::array()}};
    for (const auto& server : servers) result["servers"].push_back(to_json(server));
    std::cout << result.dump(2, ' ', false, ordered_json::error_handler_t::replace) << '\n';
  } else if (servers.empty()) {
    std::cout << "no server is known there\n";
  } else {
    print(servers);
  }
  return exit_done;
}

}  // namespace

int swarm(const arguments& args) {
  CLI::App app{"Tells who serves which blocks of which model: blocks that nobody holds come first.", "swarm"};
  swarm_flags flags;
  bool json = false, sessions = false;
  flags.add_to(app);
  app.add_flag("--json", json, "prints one object");
  app.add_flag(
      "--sessions", sessions,
      "tells instead what each server's sessions have computed; in a private swarm for admins alone");
  if (!parse(app, args)) return exit_done;
  const auto options = flags.options();
  if (!flags.has_peers()) throw usage_error("give --peers with a node of the swarm, corolla://ID@HOST:PORT");
  if (sessions) return tell_sessions(options, flags.peers(), json);
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
