#include <algorithm>
#include <csignal>
#include <stop_token>
#include <string>
#include <thread>

#include "runtime/bench_grid_tally.hpp"
#include "runtime/bench_recovery.hpp"
#include "runtime/bench_spare_swarm.hpp"

namespace corolla::runtime {
namespace {

using std::chrono::steady_clock;

/// So that a replay takes a while.
constexpr uint64_t bytes_per_s = 400'000;
constexpr auto patience = std::chrono::seconds{3};
/// Between two looks at the same one of several servers.
constexpr auto look = std::chrono::milliseconds{2};

/// A generation that loses a server, and then its substitute when a quarter of the prompt's rows have come there.
class twice_struck {
 public:
  twice_struck(bench_spare_swarm& swarm, size_t hop, size_t at, uint64_t row_bytes)
      : swarm_(swarm), hop_(hop), at_(at), row_bytes_(row_bytes) {}

  generated run(client& through, const grid_text& text) {
    size_t tokens = 0;
    auto result = through.generate(
        text.request(), [&](const model::generated_token&) { has_come(++tokens); }, {},
        [&](const std::vector<route_hop>& route) {
          victim_ = hop_ + 1 == grid_hops ? route.back() : route[hop_];
          has_come(0);
        });
    striker_ = {};
    swarm_.replace(victim_.peer);
    if (substitute_) swarm_.replace(peer_of(*substitute_));
    return result;
  }

  const route_hop& victim() const { return victim_; }
  bool struck_twice() const { return substitute_ != nullptr; }
  std::chrono::duration<double> pause() const { return next_token_ - struck_; }

 private:
  static std::string peer_of(const bench_proxied_node& server) {
    const auto& address = server.node().address();
    const auto begin = address.find("//") + 2;
    return address.substr(begin, address.find('@') - begin);
  }
  void has_come(size_t tokens) {
    if (tokens == at_ + 1) next_token_ = steady_clock::now();
    if (tokens != at_) return;
    struck_ = steady_clock::now();
    std::vector<fed> others;
    for (auto* other : swarm_.others_of(victim_.peer))
      others.push_back({other, other->network().passed(direction::to) + row_bytes_ / 4});
    swarm_.find(victim_.peer).node().signal(SIGKILL);
    striker_ = std::jthread{[this, others](const std::stop_token& stop) { strike_first(others, stop); }};
  }

  struct fed {
    bench_proxied_node* server;
    uint64_t enough;
  };
  void strike_first(const std::vector<fed>& others, const std::stop_token& stop) {
    const auto until = steady_clock::now() + patience;
    while (!stop.stop_requested() && steady_clock::now() < until)
      for (const auto& other : others) {
        if (!other.server->network().wait_until_passed(direction::to, other.enough, look)) continue;
        other.server->node().signal(SIGKILL);
        substitute_ = other.server;
        return;
      }
  }

  bench_spare_swarm& swarm_;
  size_t hop_, at_;
  uint64_t row_bytes_;
  route_hop victim_;
  bench_proxied_node* substitute_ = nullptr;
  steady_clock::time_point struck_, next_token_;
  std::jthread striker_;
};

/// Bytes that a prompt's rows take on their way to the first hop.
uint64_t bytes_of_rows(bench_spare_swarm& swarm, client& through, const grid_text& text) {
  fault_proxy* first = nullptr;
  uint64_t before = 0;
  through.generate(bench_request(text.prompt, 1), {}, {}, [&](const std::vector<route_hop>& route) {
    first = &swarm.find(route.front().peer).network();
    before = first->passed(direction::to);
  });
  return first->passed(direction::to) - before;
}

}  // namespace

std::vector<bench_row> bench_recovery_substitutes(const bench_settings& settings) {
  const auto text = long_text(settings);
  bench_spare_swarm swarm{settings, grid_hops, /*copies=*/3, {.bytes_per_s = bytes_per_s}};
  const auto through = client::make(bench_client(settings, swarm.address()));
  const auto row_bytes = bytes_of_rows(swarm, *through, text);
  grid_tally tally;
  size_t twice = 0;
  const auto moments = grid_moments(text.ids.size(), settings.steps);
  for (size_t hop = 0; hop < grid_hops; ++hop)
    for (const auto at : moments) {
      twice_struck one{swarm, hop, at, row_bytes};
      const auto result = one.run(*through, text);
      tally.add(text, result, replaced(result, one.victim()), one.pause());
      twice += one.struck_twice() ? 1 : 0;
    }
  const std::string kind = "kill -9 of a server and of its substitute in the replay";
  std::vector<bench_row> rows;
  tally.add_rows(rows, kind, text, tally.strikes);
  // The client feeds the first hop through the proxy; a server may have been dialled past it.
  rows.push_back(
      {kind + ": substitutes killed", static_cast<double>(twice), "servers", static_cast<double>(moments.size()),
       static_cast<double>(twice) / static_cast<double>(tally.strikes), tally.strikes});
  return rows;
}

}  // namespace corolla::runtime
