#include <algorithm>
#include <csignal>
#include <stdexcept>

#include "runtime/bench_chain.hpp"
#include "runtime/bench_recovery.hpp"

namespace corolla::runtime {
namespace {

constexpr uint32_t position = 500;
constexpr uint32_t tokens_before = 4, tokens_after = 8;
constexpr size_t samples = 3;
/// Besides the restore.
constexpr double pause_limit_ms = 1000;

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

/// From the last token before the strike on.
double longest_gap_ms(const bench_struck& done) {
  const auto& times = done.token_times;
  double longest = 0;
  for (auto token = std::upper_bound(times.begin(), times.end(), done.struck); token != times.end(); ++token)
    if (token != times.begin()) longest = std::max(longest, milliseconds(*token - *(token - 1)));
  return longest;
}

}  // namespace

std::vector<bench_row> bench_recovery_stopped(const bench_settings& settings, client& through, bench_chain& chain) {
  const auto request =
      bench_request(bench_prompt(settings.model, position - tokens_before), tokens_before + tokens_after);
  std::vector<bench_row> rows;
  for (size_t hop = 0; hop < chain.size(); ++hop) {
    through.generate(bench_request(request.prompt, 1));  // warm
    double longest = 0, beyond_restore = 0;
    for (size_t i = 0; i < samples; ++i) {
      const auto done =
          generate_and_strike(through, chain, request, {.hop = hop, .at_token = tokens_before, .signal = SIGSTOP});
      if (done.result.recoveries.empty())
        throw std::runtime_error("a server that stopped was not replaced: nothing to measure");
      double restore = 0;
      for (const auto& r : done.result.recoveries) restore += milliseconds(r.restoring);
      const auto gap = longest_gap_ms(done);
      longest = std::max(longest, gap);
      beyond_restore = std::max(beyond_restore, gap - restore);
    }
    const auto where =
        "position " + std::to_string(position) + ", SIGSTOP of server " + std::to_string(hop + 1) + ": longest pause";
    rows.push_back({where, longest, "ms", {}, {}, samples});
    rows.push_back({where + " less its restore", beyond_restore, "ms", pause_limit_ms, {}, samples});
  }
  return rows;
}

}  // namespace corolla::runtime
