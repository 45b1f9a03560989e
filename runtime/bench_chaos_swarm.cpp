#include "runtime/bench_chaos_swarm.hpp"

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "model/checkpoint.hpp"

namespace corolla::runtime {
namespace {

using namespace std::chrono_literals;

/// In quarters of the model: two servers hold all, and so do three others.
constexpr std::array<std::pair<uint32_t, uint32_t>, 5> quarters{{{0, 2}, {2, 4}, {0, 1}, {1, 3}, {3, 4}}};
/// Long enough for a token to take longer than what befalls a server.
constexpr auto delay = 2ms;
constexpr double jitter = 0.2;
/// Seconds between two faults, of most faults, and of those that a link's liveness does not survive.
constexpr double least_pause = 0.1, most_pause = 0.8;
constexpr double least_fault = 0.1, most_fault = 1;
constexpr double least_long_fault = 5.5, most_long_fault = 7;
constexpr double long_ones = 0.15;
/// A server that was cut off for longer than a link lives is believed again within so long.
constexpr auto notice = 3s;
/// Whom faults befall: those that most routes use, by turns with the others.
constexpr std::array<size_t, 7> victims{0, 1, 2, 3, 4, 0, 1};

bench_chaos_swarm::clock::duration seconds(double count) {
  return std::chrono::duration_cast<bench_chaos_swarm::clock::duration>(std::chrono::duration<double>(count));
}

std::string id_of(const std::string& address) {
  constexpr size_t begin = 10;  // behind corolla://
  return address.substr(begin, address.find('@') - begin);
}

}  // namespace

bench_chaos_swarm::bench_chaos_swarm(const bench_settings& settings)
    : settings_(settings),
      blocks_(model::num_blocks(*model::checkpoint::open(settings.model))),
      random_(settings.seed),
      meeting_point_({}) {
  if (blocks_ < 4) throw std::runtime_error("this measurement needs a model of four blocks or more");
  for (const auto& [begin, end] : quarters)
    start(members_.emplace_back(member{{blocks_ * begin / 4, blocks_ * end / 4}, nullptr}));
}

double bench_chaos_swarm::random(double least, double most) {
  return std::uniform_real_distribution<double>(least, most)(random_);
}

void bench_chaos_swarm::start(member& m) {
  bench_node_options options;
  options.model = settings_.model;
  options.blocks = m.blocks;
  options.threads = settings_.threads;
  options.peer = meeting_point_.address();
  options.cache_tokens = chaos_cache_tokens;
  fault_settings network;
  network.delay = delay;
  network.jitter = jitter;
  network.seed = random_();
  m.server.reset();
  m.server = std::make_unique<bench_proxied_node>(options, network);
}

void bench_chaos_swarm::rage(clock::time_point end) {
  auto next_fault = clock::now();
  victim_ = victims[random_() % victims.size()];
  for (;;) {
    const auto may_strike = [&](clock::time_point now) {
      return members_[victim_].sound <= now && dispensable(members_[victim_], now);
    };
    // Where the victim is needed, others get well first.
    next_fault = std::max(next_fault, clock::now());
    auto next = may_strike(next_fault) ? std::min(next_fault, end) : end;
    for (const auto& m : members_) {
      next = std::min(next, m.cured);
      if (m.sound > next_fault) next = std::min(next, m.sound);
    }
    std::this_thread::sleep_until(next);
    const auto now = clock::now();
    if (now >= end) return;
    for (auto& m : members_)
      if (m.cured <= now) cure(m);
    if (now < next_fault || !may_strike(now)) continue;
    ail(members_[victim_], now);
    victim_ = victims[random_() % victims.size()];
    next_fault = now + seconds(random(least_pause, most_pause));
  }
}

void bench_chaos_swarm::calm() {
  for (auto& m : members_)
    if (m.cured != clock::time_point::max()) cure(m);
  std::this_thread::sleep_for(notice);
}

bool bench_chaos_swarm::dispensable(const member& without, clock::time_point now) const {
  for (uint32_t block = 0; block < blocks_; ++block) {
    const auto holds = [&](const member& m) {
      return &m != &without && m.sound <= now && m.blocks.begin <= block && block < m.blocks.end;
    };
    if (std::none_of(members_.begin(), members_.end(), holds)) return false;
  }
  return true;
}

void bench_chaos_swarm::ail(member& m, clock::time_point now) {
  const auto with = static_cast<chaos_fault>(random_() % faults_.size());
  ++faults_[static_cast<size_t>(with)];
  const bool is_long = random(0, 1) < long_ones;
  const auto time = is_long ? random(least_long_fault, most_long_fault) : random(least_fault, most_fault);
  m.ailment = with;
  m.is_long = is_long;
  m.cured = now + seconds(time);
  m.sound = clock::time_point::max();
  const auto& node = m.server->node();
  switch (with) {
    case chaos_fault::kill:
      return node.signal(SIGKILL);
    case chaos_fault::terminate:
      return node.signal(SIGTERM);
    case chaos_fault::stop:
      return node.signal(SIGSTOP);
    case chaos_fault::cut:
      return m.server->network().cut();
    case chaos_fault::silence:
      return m.server->network().stall(random_() % 2 == 0 ? direction::to : direction::from);
  }
}

void bench_chaos_swarm::cure(member& m) {
  switch (m.ailment) {
    case chaos_fault::kill:
    case chaos_fault::terminate:
      start(m);
      break;
    case chaos_fault::stop:
      m.server->node().signal(SIGCONT);
      break;
    case chaos_fault::cut:
      break;
    case chaos_fault::silence:
      m.server->network().resume();
      break;
  }
  m.cured = clock::time_point::max();
  // A server that starts is ready when others know it.
  const bool is_new = m.ailment == chaos_fault::kill || m.ailment == chaos_fault::terminate;
  m.sound = clock::now() + (m.is_long && !is_new ? notice : 0s);
}

std::vector<std::vector<std::string>> bench_chaos_swarm::chains() const {
  const auto id = [this](size_t i) { return id_of(members_[i].server->node().address()); };
  return {{id(0), id(1)}, {id(2), id(3), id(4)}};
}

}  // namespace corolla::runtime
