#include <algorithm>
#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/bench_grid_tally.hpp"
#include "runtime/bench_recovery.hpp"
#include "runtime/bench_spare_swarm.hpp"

namespace corolla::runtime {
namespace {

using std::chrono::steady_clock;

/// At the most, where there are deep prompts: a substitute gets them the same way at whatever step.
constexpr uint64_t moments_with_deep_prompts = 5;
/// A server that has stopped comes back behind so many tokens more.
constexpr size_t tokens_of_zombie = 2;

enum class fault : uint8_t { kill, stop, zombie, drain, cut_to, cut_from };
struct kind {
  const char* name;
  fault what;
  size_t hops = 1;  ///< neighbours, together
};
constexpr kind kinds[] = {
    {"kill -9", fault::kill},
    {"kill -9 of two neighbours", fault::kill, 2},
    {"SIGSTOP", fault::stop},
    {"SIGSTOP, and SIGCONT two tokens later", fault::zombie},
    {"SIGTERM", fault::drain},
    {"network cut to the server", fault::cut_to},
    {"network cut from the server", fault::cut_from}};

/// One generation, of which servers are struck.
class struck_generation {
 public:
  struck_generation(bench_spare_swarm& swarm, const kind& how, size_t hop, size_t at)
      : swarm_(swarm), how_(how), hop_(hop), at_(at) {}

  generated run(client& through, const grid_text& expected) {
    size_t tokens = 0;
    auto result = through.generate(
        expected.request(), [&](const model::generated_token&) { has_come(++tokens); }, {},
        [&](const std::vector<route_hop>& route) {
          // Two servers of the same part may share it, so that the route has more hops: the last is the last in any
          // case.
          const auto first = hop_ + how_.hops == grid_hops ? route.size() - how_.hops : hop_;
          victims_.assign(&route[first], &route[first] + how_.hops);
          has_come(0);
        });
    put_right();
    return result;
  }

  /// From the strike to the next token.
  std::chrono::duration<double, std::milli> pause() const { return next_token_ - struck_; }
  /// What was struck was replaced.
  bool mended(const generated& result) const {
    return std::ranges::all_of(victims_, [&](const route_hop& victim) { return replaced(result, victim); });
  }

 private:
  void has_come(size_t tokens) {
    if (tokens == at_ + 1) next_token_ = steady_clock::now();
    if (tokens == at_ + tokens_of_zombie && how_.what == fault::zombie) signal(SIGCONT);
    if (tokens != at_) return;
    struck_ = steady_clock::now();
    strike();
  }
  void strike();
  void put_right();
  void signal(int number) {
    for (const auto& victim : victims_) swarm_.find(victim.peer).node().signal(number);
  }

  bench_spare_swarm& swarm_;
  const kind& how_;
  size_t hop_, at_;
  std::vector<route_hop> victims_;
  steady_clock::time_point struck_, next_token_;
};

void struck_generation::strike() {
  switch (how_.what) {
    case fault::kill:
      return signal(SIGKILL);
    case fault::stop:
    case fault::zombie:
      return signal(SIGSTOP);
    case fault::drain:
      return signal(SIGTERM);
    case fault::cut_to:
    case fault::cut_from:
      swarm_.find(victims_.front().peer).network().stall(how_.what == fault::cut_to ? direction::to : direction::from);
  }
}

void struck_generation::put_right() {
  for (const auto& victim : victims_) switch (how_.what) {
      case fault::kill:
      case fault::stop:
      case fault::drain:
        swarm_.replace(victim.peer);
        break;
      case fault::zombie:
        break;
      case fault::cut_to:
      case fault::cut_from:
        swarm_.find(victim.peer).network().resume();
    }
}

/// How many strikes are felt for certain: a server that leaves may do so behind the last token, and of a network what a
/// server has dialled itself goes past its proxy; the client dials the first hop, which it feeds, and the last, which
/// feeds it.
std::optional<size_t> surely_mended(const kind& how, size_t strikes) {
  if (how.what == fault::drain) return {};
  const bool is_cut = how.what == fault::cut_to || how.what == fault::cut_from;
  return is_cut ? strikes / grid_hops : strikes;
}

/// Every kind, of every hop, at every moment.
void strike_all(
    std::vector<bench_row>& rows, const bench_settings& settings, bench_spare_swarm& swarm, const grid_text& expected) {
  auto options = bench_client(settings, swarm.address());
  options.deep_prompts = expected.deep_prompts;
  const auto through = client::make(options);
  const bool has_prompts = expected.deep_prompts.numel() > 0;
  const auto most = has_prompts ? std::min(settings.steps, moments_with_deep_prompts) : settings.steps;
  for (const auto& how : kinds) {
    grid_tally tally;
    for (size_t hop = 0; hop + how.hops <= grid_hops; ++hop)
      for (const auto at : grid_moments(expected.ids.size(), most)) {
        struck_generation one{swarm, how, hop, at};
        const auto result = one.run(*through, expected);
        tally.add(expected, result, one.mended(result), one.pause());
      }
    const auto* with = has_prompts ? "with deep prompts, " : "";
    tally.add_rows(rows, std::string{with} + how.name, expected, surely_mended(how, tally.strikes));
  }
}

}  // namespace

std::vector<bench_row> bench_recovery_grid(const bench_settings& settings) {
  std::vector<bench_row> rows;
  {
    bench_spare_swarm swarm{settings, grid_hops};
    strike_all(rows, settings, swarm, short_text(settings));
    if (const auto text = text_with_deep_prompts(settings)) strike_all(rows, settings, swarm, *text);
  }
  for (auto* more : {bench_recovery_chunks, bench_recovery_substitutes})
    for (auto& row : more(settings)) rows.push_back(std::move(row));
  return rows;
}

}  // namespace corolla::runtime
