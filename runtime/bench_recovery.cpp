#include "runtime/bench_recovery.hpp"

#include <csignal>
#include <stdexcept>
#include <string>
#include <utility>

#include "runtime/bench_chain.hpp"

namespace corolla::runtime {
namespace {

constexpr uint32_t positions[] = {50, 500, 1500};
constexpr uint32_t tokens_before = 4, tokens_after = 4;
constexpr size_t samples = 3;
constexpr double detection_limit_ms = 10, opening_limit_ms = 50;

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

/// Milliseconds of each sample, where nothing else is said.
struct measured {
  std::vector<double> gap, gone, detection, opening, restoring, switching, restored_per_s, prompt_per_s;

  void add(const bench_struck& done, size_t prompt_tokens);
  void add_rows(std::vector<bench_row>& rows, const std::string& where) const;
};

void measured::add(const bench_struck& done, size_t prompt_tokens) {
  if (done.result.recoveries.size() != 1)
    throw std::runtime_error(
        "one loss was mended " + std::to_string(done.result.recoveries.size()) + " times: nothing to measure");
  const auto& mended = done.result.recoveries.front();
  gap.push_back(milliseconds(done.next_token - done.struck));
  gone.push_back(milliseconds(done.gone - done.struck));
  detection.push_back(milliseconds(mended.noticed - done.struck));
  opening.push_back(milliseconds(mended.opening));
  restoring.push_back(milliseconds(mended.restoring));
  switching.push_back(milliseconds(mended.switching));
  restored_per_s.push_back(1e3 * mended.restored_tokens / restoring.back());
  prompt_per_s.push_back(static_cast<double>(prompt_tokens) / done.result.time_to_first_token_s);
}

void measured::add_rows(std::vector<bench_row>& rows, const std::string& where) const {
  const auto in_ms = [&](const char* what, const std::vector<double>& values, std::optional<double> limit) {
    rows.push_back({where + what, median(values), "ms", limit, {}, values.size()});
  };
  in_ms("from kill -9 to the next token", gap, {});
  in_ms("detection", detection, detection_limit_ms);
  in_ms("of that, until the kernel has ended the process", gone, {});
  in_ms("planning and opening", opening, opening_limit_ms);
  in_ms("restore", restoring, {});
  in_ms("switching", switching, {});
  const auto restored = median(restored_per_s), prompt = median(prompt_per_s);
  rows.push_back({where + "prompt through the chain", prompt, "tokens/s", {}, {}, samples});
  rows.push_back({where + "speed of the restore", restored, "tokens/s", prompt, restored / prompt, samples});
}

}  // namespace

std::vector<bench_row> bench_recovery(const bench_settings& settings) {
  if (settings.model.empty()) throw std::runtime_error("this measurement needs --model");
  if (settings.grid) return bench_recovery_grid(settings);
  bench_chain chain{settings, 3};
  const auto through = client::make(bench_client(settings, chain.address()));
  std::vector<bench_row> rows;
  for (const auto position : positions) {
    const auto request =
        bench_request(bench_prompt(settings.model, position - tokens_before), tokens_before + tokens_after);
    through->generate(bench_request(request.prompt, 1));  // warm
    measured all;
    for (size_t i = 0; i < samples; ++i)
      all.add(
          generate_and_strike(*through, chain, request, {.hop = 1, .at_token = tokens_before, .signal = SIGKILL}),
          request.prompt.size());
    all.add_rows(rows, "position " + std::to_string(position) + ": ");
  }
  for (auto* more : {bench_recovery_stopped, bench_recovery_leaving})
    for (auto& row : more(settings, *through, chain)) rows.push_back(std::move(row));
  return rows;
}

}  // namespace corolla::runtime
