#include "runtime/swarm_view.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "runtime/printable.hpp"
#include "runtime/swarm_records.hpp"

namespace corolla::runtime {
namespace {

using namespace actors;

std::string_view name_of(server_state state) {
  switch (state) {
    case server_state::joining:
      return "joining";
    case server_state::online:
      return "online";
    case server_state::draining:
      return "draining";
    case server_state::gone:
      break;
  }
  return "gone";
}

seen_server seen(const server_record& record) {
  seen_server server;
  server.peer = record.peer.to_string();
  for (auto& address : record.addresses) server.addresses.push_back(printable(address));
  server.state = name_of(record.state);
  server.begin = record.blocks.begin;
  server.end = record.blocks.end;
  server.dtype = model::to_string(record.dtype);
  server.numerics = printable(record.numerics);
  server.software = printable(record.software);
  server.steps_per_s = record.steps_per_s;
  server.forward_per_s = record.forward_per_s;
  server.load = record.load;
  server.cache_tokens = record.cache_tokens;
  server.free_tokens = record.free_tokens;
  for (auto& ping : record.pings)
    server.pings.push_back(
        {ping.peer.to_string(), static_cast<double>(ping.round_trip.count()) / 1000, ping.bytes_per_s});
  for (auto& adapter : record.adapters) server.adapters.push_back(printable(adapter));
  return server;
}

}  // namespace

std::vector<seen_model> look_at_swarm(const swarm_options& options, const std::vector<std::string>& peers) {
  std::map<std::pair<std::string, std::string>, seen_model> models;
  for (auto& record : read_records(options, peers)) {
    auto name = printable(record.model_name);
    auto digest = model::to_hex(record.model);
    auto& model = models[{name, digest}];
    model.name = name;
    model.digest = digest;
    model.blocks = std::max(model.blocks, record.model_blocks);
    model.servers.push_back(seen(record));
  }
  std::vector<seen_model> result;
  for (auto& [key, model] : models) {
    std::sort(model.servers.begin(), model.servers.end(), [](const seen_server& a, const seen_server& b) {
      return std::tie(a.begin, a.end, a.peer) < std::tie(b.begin, b.end, b.peer);
    });
    result.push_back(std::move(model));
  }
  return result;
}

std::vector<held_blocks> holders_of(const seen_model& model) {
  // Spans begin and end at a few blocks: whoever claims that a model has 2^32 of them costs nothing.
  std::vector<uint32_t> edges{0, model.blocks};
  for (auto& server : model.servers) edges.insert(edges.end(), {server.begin, server.end});
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  std::vector<held_blocks> result;
  for (size_t i = 0; i + 1 < edges.size(); ++i) {
    held_blocks part{edges[i], edges[i + 1], {}, {}};
    for (auto& server : model.servers) {
      if (server.begin > part.begin || part.end > server.end) continue;
      if (server.state == "online") part.peers.push_back(server.peer);
      if (server.state == "draining") part.leaving.push_back(server.peer);
    }
    if (!result.empty() && result.back().peers == part.peers && result.back().leaving == part.leaving)
      result.back().end = part.end;
    else
      result.push_back(std::move(part));
  }
  std::stable_partition(result.begin(), result.end(), [](const held_blocks& part) { return part.peers.empty(); });
  return result;
}

}  // namespace corolla::runtime
