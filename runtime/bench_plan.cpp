#include "runtime/bench_plan.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <random>
#include <stdexcept>

#include "actors/policy/route_planner.hpp"
#include "actors/route_plan.hpp"
#include "runtime/bench_swarm.hpp"

namespace corolla::runtime {
namespace {

using namespace actors::policy;

constexpr uint32_t num_blocks = 100;
constexpr size_t num_servers = 1000;
constexpr size_t runs = 21;
constexpr double limit_ms = 5;

/// Processor time of this thread, in milliseconds.
double processor_ms() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
}

/// From least to most, in seconds where it is a time.
struct interval {
  double least = 0, most = 0;
};

struct swarm_kind {
  const char* name;
  uint32_t longest = num_blocks;  ///< span
  interval per_block{0.0005, 0.02};
  interval queue{0, 0.02};
  interval near{0.001, 0.1};  ///< round trips inside a region
  interval far{0.001, 0.1};   ///< and between two
  uint32_t regions = 1;
  uint32_t banned_of_ten = 0;
};

constexpr swarm_kind kinds[] = {
    {.name = "spans of up to 20 blocks", .longest = 20},
    {.name = "spans of up to 60 blocks", .longest = 60},
    {.name = "spans of up to 100 blocks"},
    {.name = "no queues, round trips of 20 to 80 ms", .queue = {}, .near = {0.02, 0.08}, .far = {0.02, 0.08}},
    {.name = "no queues, spans of up to 20 blocks, round trips of 20 to 80 ms",
     .longest = 20,
     .queue = {},
     .near = {0.02, 0.08},
     .far = {0.02, 0.08}},
    {.name = "all servers and ways alike", .per_block{0.001, 0.001}, .queue = {}, .near = {0.001, 0.001}},
    {.name = "servers alike but for their queues",
     .longest = 20,
     .per_block{0.001, 0.001},
     .queue{0, 0.02},
     .near{0.01, 0.05}},
    {.name = "three regions", .near{0.001, 0.005}, .far{0.06, 0.12}, .regions = 3},
    {.name = "three of ten servers banned", .longest = 60, .banned_of_ten = 3},
};

class random_swarm {
 public:
  explicit random_swarm(const swarm_kind& kind) : ways_(num_servers * num_servers) {
    auto pick = [this](interval range) {
      return std::uniform_real_distribution<double>(range.least, range.most)(random_);
    };
    for (size_t i = 0; i < num_servers; ++i) {
      auto length = std::uniform_int_distribution<uint32_t>(1, kind.longest)(random_);
      auto begin = std::uniform_int_distribution<uint32_t>(0, num_blocks - length)(random_);
      server s;
      s.span = {begin, begin + length};
      s.per_block = pick(kind.per_block);
      s.queue = pick(kind.queue);
      s.source_round_trip = pick(kind.near);
      s.sink_round_trip = pick(kind.near);
      s.free_tokens = random_() % 4 * 100;
      if (random_() % 10 < kind.banned_of_ten) s.used = standing::last_choice;
      servers.push_back(s);
    }
    for (size_t i = 0; i < ways_.size(); ++i)
      ways_[i] = pick(i / num_servers % kind.regions == i % kind.regions ? kind.near : kind.far);
    for (size_t to = 0; to < num_servers; ++to) {
      auto& least = servers[to].least_round_trip = kind.far.most;
      for (size_t from = 0; from < num_servers; ++from)
        if (from != to) least = std::min(least, way(from, to));
    }
  }

  double way(size_t from, size_t to) const { return ways_[from * num_servers + to]; }

  std::vector<server> servers;

 private:
  std::mt19937 random_{11};
  std::vector<double> ways_;
};

bench_row measure(const swarm_kind& kind) {
  const random_swarm swarm{kind};
  const round_trip between = [&](size_t from, size_t to) { return swarm.way(from, to); };
  plan_request request;
  request.wanted = {0, num_blocks};
  request.needed_tokens = 150;
  std::vector<double> times;
  for (size_t run = 0; run < runs; ++run) {
    const auto begun = processor_ms();
    auto plan = plan_route(swarm.servers, request, between);
    times.push_back(processor_ms() - begun);
    if (plan.hops.empty()) throw std::runtime_error{"the swarm of the measurement has a gap"};
  }
  return {kind.name, median(times), "ms", limit_ms, std::nullopt, runs};
}

crypto::peer_id peer_number(size_t number) {
  crypto::peer_id id;
  // Spread over the first bytes, as the hashes that ids are would be.
  for (size_t i = 0; i < sizeof number; ++i) id.bytes[i] = static_cast<uint8_t>(number * 2654435761u >> 8 * i);
  return id;
}

/// What a client does at each opening: from the records of the directory to the hops of a route.
bench_row measure_records() {
  const random_swarm swarm{kinds[2]};
  actors::route_model model;
  model.digests.blocks.resize(num_blocks);
  model.digests.model.fill(1);
  std::mt19937 random{13};
  std::vector<actors::server_record> records;
  for (size_t i = 0; i < num_servers; ++i) {
    const auto& server = swarm.servers[i];
    auto& record = records.emplace_back();
    record.peer = peer_number(i);
    record.model = model.digests.model;
    record.model_blocks = num_blocks;
    record.blocks = {server.span.begin, server.span.end};
    record.steps_per_s = static_cast<float>(1 / (server.per_block * record.blocks.size()));
    record.load = std::uniform_real_distribution<float>(0, 1)(random);
    record.free_tokens = server.free_tokens;
    for (size_t n = 0; n < actors::max_record_pings; ++n) {
      const auto other = random() % num_servers;
      const auto time = std::chrono::duration<double>(swarm.way(i, other));
      record.pings.push_back({peer_number(other), std::chrono::round<std::chrono::microseconds>(time)});
    }
  }
  actors::route_options options;
  options.blocks = {0, num_blocks};
  options.max_length = 150;
  std::vector<double> times;
  for (size_t run = 0; run < runs; ++run) {
    const auto begun = processor_ms();
    auto route = actors::estimate_route(records, model, options, {});
    times.push_back(processor_ms() - begun);
    if (std::holds_alternative<caf::error>(route))
      throw std::runtime_error{"the records of the measurement have a gap"};
  }
  return {"from records with 32 round trips each", median(times), "ms", limit_ms, std::nullopt, runs};
}

}  // namespace

std::vector<bench_row> bench_plan(const bench_settings&) {
  std::vector<bench_row> rows;
  for (const auto& kind : kinds) rows.push_back(measure(kind));
  rows.push_back(measure_records());
  return rows;
}

}  // namespace corolla::runtime
