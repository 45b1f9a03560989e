#include <algorithm>
#include <csignal>
#include <stdexcept>

#include "runtime/bench_chain.hpp"
#include "runtime/bench_recovery.hpp"

namespace corolla::runtime {
namespace {

using std::chrono::steady_clock;

constexpr uint32_t position = 1000;
/// Enough behind it that the hand-over ends while tokens still come.
constexpr uint32_t tokens_before = 4, tokens_after = 40;
/// Behind the hand-over: the first of them went the new way.
constexpr std::ptrdiff_t tokens_around = 4;
constexpr size_t samples = 5;
constexpr double gap_limit_ms = 250;

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

const route_recovery& moved(const generated& result) {
  const auto found =
      std::find_if(result.recoveries.begin(), result.recoveries.end(), [](const route_recovery& r) { return r.moved; });
  if (found == result.recoveries.end() || !found->handed_over)
    throw std::runtime_error("the server that left handed nothing over: nothing to measure");
  return *found;
}

/// From the last token before the strike to a few after the new way was in use.
double longest_gap_ms(const bench_struck& done, steady_clock::time_point moved_at) {
  const auto& times = done.token_times;
  const auto struck = std::upper_bound(times.begin(), times.end(), done.struck);
  const auto after = std::upper_bound(times.begin(), times.end(), moved_at);
  if (struck == times.begin() || after == times.end())
    throw std::runtime_error("the generation ended before the hand-over: nothing to measure");
  const auto end = after + std::min(tokens_around, times.end() - after);
  double longest = 0;
  for (auto token = struck; token < end; ++token) longest = std::max(longest, milliseconds(*token - *(token - 1)));
  return longest;
}

}  // namespace

std::vector<bench_row> bench_recovery_leaving(const bench_settings& settings, client& through, bench_chain& chain) {
  const auto request =
      bench_request(bench_prompt(settings.model, position - tokens_before), tokens_before + tokens_after);
  through.generate(bench_request(request.prompt, 1));  // warm
  std::vector<double> opening, restoring, gap;
  for (size_t i = 0; i < samples; ++i) {
    const auto done =
        generate_and_strike(through, chain, request, {.hop = 1, .at_token = tokens_before, .signal = SIGTERM});
    const auto& move = moved(done.result);
    opening.push_back(milliseconds(move.opening));
    restoring.push_back(milliseconds(move.restoring));
    gap.push_back(longest_gap_ms(done, move.noticed + move.opening + move.restoring + move.switching));
  }
  const auto where = "position " + std::to_string(position) + ", hand-over: ";
  return {
      {where + "opening", median(opening), "ms", {}, {}, samples},
      {where + "restoring", median(restoring), "ms", {}, {}, samples},
      {where + "longest gap between two tokens around it",
       *std::max_element(gap.begin(), gap.end()),
       "ms",
       gap_limit_ms,
       {},
       samples}};
}

}  // namespace corolla::runtime
