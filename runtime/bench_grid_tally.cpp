#include "runtime/bench_grid_tally.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>

#include "runtime/deep_prompts.hpp"

namespace corolla::runtime {
namespace {

/// Where nothing better is known.
constexpr uint32_t prompt_tokens = 16, new_tokens = 60, long_prompt_tokens = 300, new_tokens_behind_it = 40;
constexpr size_t last_moment = 39, between_moments = 3;
constexpr size_t moments_of_tests[] = {1, 7, 39};

std::optional<grid_text> golden_text(const bench_settings& settings, const std::string& name) {
  std::ifstream file{std::filesystem::path{settings.model} / "long.json"};
  if (!file) return {};
  const auto texts = nlohmann::json::parse(file).at("continuations");
  if (!texts.contains(name)) return {};
  return grid_text{texts.at(name).at("prompt"), texts.at(name).at("greedy"), "the golden text"};
}

grid_text local_text(const bench_settings& settings, uint32_t prompt, uint32_t tokens) {
  const auto ids = bench_prompt(settings.model, prompt);
  return {
      ids, client::make(bench_client(settings))->generate(bench_request(ids, tokens)).ids,
      "an undisturbed run with --local"};
}

size_t wrong_tokens(const std::vector<int64_t>& expected, const std::vector<int64_t>& got) {
  size_t wrong = std::max(expected.size(), got.size()) - std::min(expected.size(), got.size());
  for (size_t i = 0; i < std::min(expected.size(), got.size()); ++i) wrong += expected[i] != got[i] ? 1 : 0;
  return wrong;
}

}  // namespace

grid_text short_text(const bench_settings& settings) {
  if (auto text = golden_text(settings, "of_100")) return *text;
  if (std::ifstream file{std::filesystem::path{settings.model} / "golden.json"}) {
    const auto facts = nlohmann::json::parse(file);
    return {facts.at("input_ids").at(0), facts.at("greedy").at(0), "the golden text"};
  }
  return local_text(settings, prompt_tokens, new_tokens);
}

grid_text long_text(const bench_settings& settings) {
  if (auto text = golden_text(settings, "behind_300")) return *text;
  return local_text(settings, long_prompt_tokens, new_tokens_behind_it);
}

std::optional<grid_text> text_with_deep_prompts(const bench_settings& settings) {
  auto text = golden_text(settings, "prompted");
  if (text) text->deep_prompts = read_deep_prompts(std::filesystem::path{settings.model} / "deep_prompts.safetensors");
  return text;
}

std::vector<size_t> some_of(const std::vector<size_t>& all, uint64_t most) {
  std::vector<size_t> chosen;
  const auto count = std::min<uint64_t>(most, all.size());
  for (size_t i = 0; i < count; ++i) chosen.push_back(all[(2 * i + 1) * all.size() / (2 * count)]);
  return chosen;
}

std::vector<size_t> grid_moments(size_t tokens, uint64_t most) {
  std::vector<size_t> all;
  for (size_t at = 0; at < std::min(tokens, last_moment + 1); at += between_moments)
    if (std::ranges::count(moments_of_tests, at) == 0) all.push_back(at);
  return some_of(all, most);
}

void grid_tally::add(
    const grid_text& expected, const generated& got, bool was_mended, std::chrono::duration<double> pause) {
  ++strikes;
  wrong += wrong_tokens(expected.ids, got.ids);
  mended += was_mended ? 1 : 0;
  longest = std::max<std::chrono::duration<double, std::milli>>(longest, pause);
}

void grid_tally::add_rows(
    std::vector<bench_row>& rows, const std::string& kind, const grid_text& expected,
    std::optional<size_t> least) const {
  const auto of = static_cast<double>(strikes), count = static_cast<double>(mended);
  std::optional<double> limit;
  if (least) limit = static_cast<double>(*least);
  rows.push_back(
      {kind + ": wrong tokens against " + expected.name, static_cast<double>(wrong), "tokens", 0.0, {}, strikes});
  rows.push_back({kind + ": mended", count, "generations", limit, count / of, strikes});
  rows.push_back({kind + ": longest pause", longest.count(), "ms", {}, {}, strikes});
  std::cerr << kind << ": " << strikes << " generations, wrong tokens: " << wrong << std::endl;
}

bool replaced(const generated& result, const route_hop& victim) {
  return std::ranges::any_of(
      result.recoveries, [&](const route_recovery& r) { return r.begin <= victim.begin && victim.end <= r.end; });
}

}  // namespace corolla::runtime
