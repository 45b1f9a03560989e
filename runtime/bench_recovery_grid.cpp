#include <algorithm>
#include <csignal>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include "runtime/bench_recovery.hpp"
#include "runtime/bench_spare_swarm.hpp"

namespace corolla::runtime {
namespace {

using std::chrono::steady_clock;

constexpr uint32_t num_hops = 3;
/// Where nothing better is known.
constexpr uint32_t prompt_tokens = 16, new_tokens = 60;
/// New tokens that have come by then: every third up to here, without those at which the tests strike.
constexpr size_t last_moment = 39, between_moments = 3;
constexpr size_t moments_of_tests[] = {1, 7, 39};
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

/// What must come of a prompt, and who says so.
struct reference {
  std::vector<int64_t> prompt, ids;
  std::string name;
};

/// A text whose margins are known to tell, as tests/golden/make_long_reference.py writes them; else the shorter one
/// that every model in tests/golden/tiny has; else what one process makes of some prompt.
reference reference_of(const bench_settings& settings) {
  const std::filesystem::path folder = settings.model;
  if (std::ifstream file{folder / "long.json"}) {
    const auto text = nlohmann::json::parse(file).at("continuations").at("of_100");
    return {text.at("prompt"), text.at("greedy"), "the golden text"};
  }
  if (std::ifstream file{folder / "golden.json"}) {
    const auto facts = nlohmann::json::parse(file);
    return {facts.at("input_ids").at(0), facts.at("greedy").at(0), "the golden text"};
  }
  const auto prompt = bench_prompt(settings.model, prompt_tokens);
  auto ids = client::make(bench_client(settings))->generate(bench_request(prompt, new_tokens)).ids;
  return {prompt, std::move(ids), "an undisturbed run with --local"};
}

size_t wrong_tokens(const std::vector<int64_t>& expected, const std::vector<int64_t>& got) {
  size_t wrong = std::max(expected.size(), got.size()) - std::min(expected.size(), got.size());
  for (size_t i = 0; i < std::min(expected.size(), got.size()); ++i) wrong += expected[i] != got[i] ? 1 : 0;
  return wrong;
}

/// At most `most` of them, evenly.
std::vector<size_t> moments(size_t tokens, uint64_t most) {
  std::vector<size_t> all, chosen;
  for (size_t at = 0; at < std::min(tokens, last_moment + 1); at += between_moments)
    if (std::ranges::count(moments_of_tests, at) == 0) all.push_back(at);
  const auto count = std::min<uint64_t>(most, all.size());
  for (size_t i = 0; i < count; ++i) chosen.push_back(all[(2 * i + 1) * all.size() / (2 * count)]);
  return chosen;
}

/// One generation, of which servers are struck.
class struck_generation {
 public:
  struck_generation(bench_spare_swarm& swarm, const kind& how, size_t hop, size_t at)
      : swarm_(swarm), how_(how), hop_(hop), at_(at) {}

  generated run(client& through, const reference& expected) {
    size_t tokens = 0;
    auto result = through.generate(
        bench_request(expected.prompt, static_cast<uint32_t>(expected.ids.size())),
        [&](const model::generated_token&) { has_come(++tokens); }, {},
        [&](const std::vector<route_hop>& route) {
          // Two servers of the same part may share it, so that the route has more hops: the last is the last in any
          // case.
          const auto first = hop_ + how_.hops == num_hops ? route.size() - how_.hops : hop_;
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
    return std::ranges::all_of(victims_, [&](const route_hop& victim) {
      return std::ranges::any_of(
          result.recoveries, [&](const route_recovery& r) { return r.begin <= victim.begin && victim.end <= r.end; });
    });
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
std::optional<double> surely_mended(const kind& how, size_t strikes) {
  if (how.what == fault::drain) return {};
  const bool is_cut = how.what == fault::cut_to || how.what == fault::cut_from;
  return static_cast<double>(is_cut ? strikes / num_hops : strikes);
}

}  // namespace

std::vector<bench_row> bench_recovery_grid(const bench_settings& settings) {
  const auto expected = reference_of(settings);
  bench_spare_swarm swarm{settings, num_hops};
  const auto through = client::make(bench_client(settings, swarm.address()));
  std::vector<bench_row> rows;
  for (const auto& how : kinds) {
    size_t strikes = 0, wrong = 0, mended = 0;
    double longest_ms = 0;
    for (size_t hop = 0; hop + how.hops <= num_hops; ++hop)
      for (const auto at : moments(expected.ids.size(), settings.steps)) {
        struck_generation one{swarm, how, hop, at};
        const auto result = one.run(*through, expected);
        ++strikes;
        wrong += wrong_tokens(expected.ids, result.ids);
        mended += one.mended(result) ? 1 : 0;
        longest_ms = std::max(longest_ms, one.pause().count());
      }
    const auto where = std::string{how.name} + ": ";
    const auto of = static_cast<double>(strikes), count = static_cast<double>(mended);
    rows.push_back(
        {where + "wrong tokens against " + expected.name, static_cast<double>(wrong), "tokens", 0.0, {}, strikes});
    rows.push_back({where + "mended", count, "generations", surely_mended(how, strikes), count / of, strikes});
    rows.push_back({where + "longest pause", longest_ms, "ms", {}, {}, strikes});
  }
  return rows;
}

}  // namespace corolla::runtime
