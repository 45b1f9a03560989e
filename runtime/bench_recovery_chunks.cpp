#include <csignal>
#include <string>
#include <thread>

#include "runtime/bench_grid_tally.hpp"
#include "runtime/bench_recovery.hpp"
#include "runtime/bench_spare_swarm.hpp"

namespace corolla::runtime {
namespace {

using std::chrono::steady_clock;

constexpr uint32_t chunk_tokens = 32;
/// So that the chunks of a prompt come one after the other, and not all at once.
constexpr uint64_t bytes_per_s = 400'000;
constexpr auto patience = std::chrono::seconds{10};

struct kind {
  const char* name;
  bool stops;  ///< else its connections are cut
};
constexpr kind kinds[] = {{"SIGSTOP at a chunk of a prompt", true}, {"connections cut at a chunk of a prompt", false}};

/// A generation through a swarm of which the bytes that go to the first hop are counted.
class counted_generation {
 public:
  explicit counted_generation(bench_spare_swarm& swarm) : swarm_(swarm) {}

  /// Of the prompt and what goes with it.
  uint64_t count(client& through, const grid_text& text) {
    through.generate(bench_request(text.prompt, 1), {}, {}, [&](const std::vector<route_hop>& route) { begin(route); });
    return first_->passed(direction::to) - before_;
  }

  /// A hop is struck behind so many bytes.
  generated run(client& through, const grid_text& text, const kind& how, size_t hop, uint64_t bytes) {
    auto result = through.generate(
        text.request(), [&](const model::generated_token&) { has_come(); }, {},
        [&](const std::vector<route_hop>& route) {
          begin(route);
          // Two servers of the same part may share it: the last is the last in any case.
          victim_ = hop + 1 == grid_hops ? route.back() : route[hop];
          striker_ = std::jthread{[this, &how, bytes] {
            if (first_->wait_until_passed(direction::to, before_ + bytes, patience)) strike(how);
          }};
        });
    striker_.join();
    swarm_.replace(victim_.peer);
    return result;
  }

  const route_hop& victim() const { return victim_; }
  /// The longest that nothing came.
  std::chrono::duration<double> pause() const { return longest_; }

 private:
  void begin(const std::vector<route_hop>& route) {
    first_ = &swarm_.find(route.front().peer).network();
    before_ = first_->passed(direction::to);
    last_ = steady_clock::now();
  }
  void strike(const kind& how) {
    auto& server = swarm_.find(victim_.peer);
    if (how.stops)
      server.node().signal(SIGSTOP);
    else
      server.network().cut();
  }
  void has_come() {
    const auto now = steady_clock::now();
    longest_ = std::max<std::chrono::duration<double>>(longest_, now - last_);
    last_ = now;
  }

  bench_spare_swarm& swarm_;
  fault_proxy* first_ = nullptr;
  uint64_t before_ = 0;
  route_hop victim_;
  steady_clock::time_point last_;
  std::chrono::duration<double> longest_{0};
  std::jthread striker_;
};

}  // namespace

std::vector<bench_row> bench_recovery_chunks(const bench_settings& settings) {
  const auto text = long_text(settings);
  bench_spare_swarm swarm{settings, grid_hops, /*copies=*/2, {.bytes_per_s = bytes_per_s}};
  auto options = bench_client(settings, swarm.address());
  options.chunk_tokens = chunk_tokens;
  const auto through = client::make(options);
  const auto bytes = counted_generation{swarm}.count(*through, text);
  const auto chunks = (text.prompt.size() + chunk_tokens - 1) / chunk_tokens;
  std::vector<size_t> all;
  for (size_t chunk = 0; chunk < chunks; ++chunk) all.push_back(chunk);
  std::vector<bench_row> rows;
  for (const auto& how : kinds) {
    grid_tally tally;
    for (size_t hop = 0; hop < grid_hops; ++hop)
      for (const auto chunk : some_of(all, settings.steps)) {
        counted_generation one{swarm};
        // In the middle of it.
        const auto result = one.run(*through, text, how, hop, bytes * (2 * chunk + 1) / (2 * chunks));
        tally.add(text, result, replaced(result, one.victim()), one.pause());
      }
    tally.add_rows(rows, how.name, text, tally.strikes);
  }
  return rows;
}

}  // namespace corolla::runtime
