#include <algorithm>
#include <csignal>
#include <string>

#include "runtime/bench_chain.hpp"
#include "runtime/bench_recovery.hpp"

namespace corolla::runtime {
namespace {

constexpr uint32_t prompt_tokens = 16, new_tokens = 40;
constexpr uint32_t strikes_at[] = {1, 7, 39};
/// Tokens that lead by less may differ: what is restored equals what was lost up to rounding.
constexpr float telling_margin = 1e-3f;

struct reference {
  std::vector<int64_t> ids;
  std::vector<float> margins;
};

reference undisturbed(client& through, const model::generation_request& request) {
  reference all;
  all.ids = through
                .generate(
                    request,
                    [&](const model::generated_token& token) {
                      if (token.id >= 0) all.margins.push_back(token.margin);
                    })
                .ids;
  return all;
}

/// Where two generations part at a token that leads by little, what follows says nothing.
size_t wrong_tokens(const reference& expected, const std::vector<int64_t>& got) {
  const auto [at, other] = std::mismatch(expected.ids.begin(), expected.ids.end(), got.begin(), got.end());
  if (at == expected.ids.end()) return got.size() - expected.ids.size();
  const auto index = static_cast<size_t>(at - expected.ids.begin());
  return other != got.end() && expected.margins[index] < telling_margin ? 0 : expected.ids.size() - index;
}

}  // namespace

std::vector<bench_row> bench_recovery_grid(const bench_settings& settings) {
  bench_chain chain{settings, 3};
  const auto through = client::make(bench_client(settings, chain.address()));
  const auto request = bench_request(bench_prompt(settings.model, prompt_tokens), new_tokens);
  const auto expected = undisturbed(*through, request);
  std::vector<bench_row> rows{
      {"smallest margin",
       *std::min_element(expected.margins.begin(), expected.margins.end()),
       "logits",
       telling_margin,
       {},
       expected.margins.size()}};
  for (const auto signal : {SIGKILL, SIGSTOP}) {
    size_t strikes = 0, wrong = 0, mended = 0;
    double longest_ms = 0;
    for (size_t hop = 0; hop < chain.size(); ++hop)
      for (const auto at_token : strikes_at) {
        const auto done = generate_and_strike(*through, chain, request, {hop, at_token, signal});
        ++strikes;
        wrong += wrong_tokens(expected, done.result.ids);
        mended += done.result.recoveries.empty() ? 0 : 1;
        longest_ms =
            std::max(longest_ms, std::chrono::duration<double, std::milli>(done.next_token - done.struck).count());
      }
    const std::string how = signal == SIGKILL ? "kill -9: " : "SIGSTOP: ";
    const auto all = static_cast<double>(strikes);
    rows.push_back({how + "wrong tokens", static_cast<double>(wrong), "tokens", 0.0, {}, strikes});
    rows.push_back({how + "mended", static_cast<double>(mended), "generations", all, mended / all, strikes});
    rows.push_back({how + "longest pause", longest_ms, "ms", {}, {}, strikes});
  }
  return rows;
}

}  // namespace corolla::runtime
