#include "runtime/bench_far_chain.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>

#include "model/checkpoint.hpp"
#include "runtime/bench_proxied_node.hpp"

namespace corolla::runtime {
namespace {

constexpr uint32_t hops = 3;
constexpr auto delay = std::chrono::milliseconds{25};
constexpr double limit = 0.95;
constexpr uint32_t prompt_tokens = 16, new_tokens = 48;
constexpr size_t rounds = 5;
constexpr size_t generations_at_once = 8;

std::vector<std::unique_ptr<bench_proxied_node>> start(
    const bench_settings& settings, const bench_node& meeting_point) {
  const auto blocks = model::num_blocks(*model::checkpoint::open(settings.model));
  std::vector<std::unique_ptr<bench_proxied_node>> nodes;
  for (uint32_t i = 0; i < hops; ++i) {
    bench_node_options options;
    options.model = settings.model;
    options.blocks = {blocks * i / hops, blocks * (i + 1) / hops};
    options.threads = settings.threads;
    options.peer = meeting_point.address();
    fault_settings faults;
    faults.delay = delay;
    faults.jitter = settings.jitter;
    faults.seed = settings.seed + i;
    nodes.push_back(std::make_unique<bench_proxied_node>(options, faults));
  }
  return nodes;
}

/// What the blocks took of a decode step, by those who computed them.
double blocks_ms(const generated& done) {
  double sum = 0;
  for (const auto& hop : done.route) sum += hop.ms;
  return sum;
}

/// Of one generation after another, eight at a time, until so many steps were made.
size_t needless_switches(client& through, const model::generation_request& request, uint64_t steps) {
  std::atomic<uint64_t> begun{0};
  const auto generate = [&] {
    size_t switches = 0;
    while (begun.fetch_add(request.max_new_tokens) < steps) switches += through.generate(request).recoveries.size();
    return switches;
  };
  std::vector<std::future<size_t>> all;
  for (size_t i = 0; i < generations_at_once; ++i) all.push_back(std::async(std::launch::async, generate));
  size_t switches = 0;
  for (auto& one : all) switches += one.get();
  return switches;
}

}  // namespace

std::vector<bench_row> bench_far_chain(const bench_settings& settings) {
  if (settings.model.empty()) throw std::runtime_error("this measurement needs --model");
  const bench_node meeting_point{{}};
  const auto nodes = start(settings, meeting_point);
  const auto here = client::make(bench_client(settings));
  const auto far = client::make(bench_client(settings, meeting_point.address()));

  const auto request = bench_request(bench_prompt(settings.model, prompt_tokens), new_tokens);
  here->generate(request);  // warm
  size_t switches = far->generate(request).recoveries.size();
  std::vector<double> ends_ms, servers_ms, chain;
  for (size_t round = 0; round < rounds; ++round) {
    const auto alone = here->generate(request);
    ends_ms.push_back(1e3 / alone.tokens_per_s - blocks_ms(alone));
    const auto done = far->generate(request);
    servers_ms.push_back(blocks_ms(done));
    chain.push_back(done.tokens_per_s);
    switches += done.recoveries.size();
  }
  constexpr auto ways_ms = (hops + 1) * std::chrono::duration<double, std::milli>(delay).count();
  const auto bound = 1e3 / (median(servers_ms) + median(ends_ms) + ways_ms), reached = median(chain);
  switches += needless_switches(*far, request, settings.steps);
  return {
      {"computing of a step at the servers", median(servers_ms), "ms", {}, {}, rounds},
      {"computing of a step at the client, as in one process", median(ends_ms), "ms", {}, {}, rounds},
      {"bound of the chain: computing and 4 ways of 25 ms", bound, "steps/s", {}, {}, rounds},
      {"decode, three far servers", reached, "steps/s", limit * bound, reached / bound, rounds},
      {"needless switches", static_cast<double>(switches), "switches", 0.0, {}, settings.steps}};
}

}  // namespace corolla::runtime
