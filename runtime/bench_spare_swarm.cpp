#include "runtime/bench_spare_swarm.hpp"

#include <algorithm>
#include <stdexcept>

#include "model/checkpoint.hpp"

namespace corolla::runtime {

bench_spare_swarm::bench_spare_swarm(
    const bench_settings& settings, uint32_t parts, size_t copies, const fault_settings& network)
    : settings_(settings), network_(network), meeting_point_({}) {
  const auto blocks = model::num_blocks(*model::checkpoint::open(settings.model));
  if (blocks < parts)
    throw std::runtime_error("this measurement needs a model of " + std::to_string(parts) + " blocks or more");
  for (size_t copy = 0; copy < copies; ++copy)
    for (uint32_t i = 0; i < parts; ++i) {
      const model::block_range part{blocks * i / parts, blocks * (i + 1) / parts};
      members_.push_back({part, start(part)});
    }
}

std::unique_ptr<bench_proxied_node> bench_spare_swarm::start(model::block_range blocks) const {
  bench_node_options options;
  options.model = settings_.model;
  options.blocks = blocks;
  options.threads = settings_.threads;
  options.peer = meeting_point_.address();
  return std::make_unique<bench_proxied_node>(options, network_);
}

std::vector<bench_spare_swarm::member>::iterator bench_spare_swarm::member_of(const std::string& peer) {
  const auto is_it = [&](const member& m) {
    return m.server->node().address().find("//" + peer + "@") != std::string::npos;
  };
  const auto found = std::find_if(members_.begin(), members_.end(), is_it);
  if (found == members_.end()) throw std::runtime_error("the measurement started no server " + peer);
  return found;
}

std::vector<bench_proxied_node*> bench_spare_swarm::others_of(const std::string& peer) {
  const auto& it = *member_of(peer);
  std::vector<bench_proxied_node*> others;
  for (const auto& m : members_)
    if (&m != &it && m.blocks == it.blocks) others.push_back(m.server.get());
  return others;
}

void bench_spare_swarm::replace(const std::string& peer) {
  auto& m = *member_of(peer);
  m.server.reset();
  m.server = start(m.blocks);
}

}  // namespace corolla::runtime
