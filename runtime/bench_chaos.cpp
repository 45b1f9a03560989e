#include "runtime/bench_chaos.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <stdexcept>
#include <stop_token>
#include <thread>

#include <nlohmann/json.hpp>

#include "runtime/bench_chaos_swarm.hpp"

namespace corolla::runtime {
namespace {

using std::chrono::steady_clock;

constexpr size_t clients = 8;
/// Positions of each row of the session that takes a whole cache.
constexpr uint32_t row_positions = 128;
constexpr auto longest_wait_for_room = std::chrono::seconds{15};

/// What the reference implementation makes of some prompts.
struct golden_texts {
  std::vector<std::vector<int64_t>> prompts, continuations;

  explicit golden_texts(const std::filesystem::path& model) {
    std::ifstream file{model / "golden.json"};
    if (!file) throw std::runtime_error("this measurement needs --model with a golden.json, as in tests/golden/tiny");
    const auto facts = nlohmann::json::parse(file);
    prompts = facts.at("input_ids");
    continuations = facts.at("greedy");
  }
};

/// What became of a client's generations.
struct tally {
  size_t finished = 0, lost = 0, mended = 0, wrong_tokens = 0;
  std::chrono::duration<double, std::milli> longest_pause{0};

  void add(const tally& other) {
    finished += other.finished;
    lost += other.lost;
    mended += other.mended;
    wrong_tokens += other.wrong_tokens;
    longest_pause = std::max(longest_pause, other.longest_pause);
  }
};

/// Generates one text after another in a thread of its own.
class chaos_client {
 public:
  chaos_client(const client_options& options, const golden_texts& texts, uint64_t seed)
      : texts_(texts), random_(seed), through_(client::make(options)) {
    thread_ = std::jthread{[this](const std::stop_token& stop) {
      while (!stop.stop_requested()) generate();
    }};
  }

  void stop() { thread_.request_stop(); }
  /// Once the text under way is finished.
  const tally& result() {
    thread_.join();
    return tally_;
  }

 private:
  void generate();

  const golden_texts& texts_;
  std::mt19937_64 random_;
  std::unique_ptr<client> through_;
  tally tally_;
  std::jthread thread_;  // uses all the others
};

void chaos_client::generate() {
  const auto which = random_() % texts_.prompts.size();
  auto prompt = texts_.prompts[which];
  const auto& text = texts_.continuations[which];
  // Any beginning of the text may stand in the prompt.
  const auto given = static_cast<std::ptrdiff_t>(random_() % (text.size() / 2));
  prompt.insert(prompt.end(), text.begin(), text.begin() + given);
  const std::vector<int64_t> expected(text.begin() + given, text.end());
  auto before = steady_clock::now();
  const auto on_token = [&](const model::generated_token&) {
    const auto now = steady_clock::now();
    tally_.longest_pause = std::max<decltype(tally_.longest_pause)>(tally_.longest_pause, now - before);
    before = now;
  };
  try {
    const auto done = through_->generate(bench_request(prompt, static_cast<uint32_t>(expected.size())), on_token);
    const auto [parted, rest] = std::mismatch(expected.begin(), expected.end(), done.ids.begin(), done.ids.end());
    ++tally_.finished;
    tally_.mended += done.recoveries.empty() ? 0 : 1;
    tally_.wrong_tokens += static_cast<size_t>(expected.end() - parted);
  } catch (const std::exception& e) {
    ++tally_.lost;
    std::cerr << "chaos: a generation was lost: " + std::string{e.what()} + "\n";
  }
}

/// Servers that do not have their whole cache to give: a session of that size is opened over every chain.
size_t leaking_servers(const bench_chaos_swarm& swarm, client_options options) {
  size_t leaking = 0;
  options.alloc_timeout = longest_wait_for_room;
  for (const auto& chain : swarm.chains()) {
    options.allow = chain;
    const std::vector<int64_t> ids(chaos_cache_tokens, 1);
    try {
      client::make(options)->evaluate(
          model::tensor::of<int64_t>({chaos_cache_tokens / row_positions, row_positions}, ids), /*hidden=*/false);
    } catch (const std::exception& e) {
      leaking += chain.size();
      std::cerr << "chaos: a chain has not its whole cache to give: " + std::string{e.what()} + "\n";
    }
  }
  return leaking;
}

}  // namespace

std::vector<bench_row> bench_chaos(const bench_settings& settings) {
  if (settings.model.empty()) throw std::runtime_error("this measurement needs --model");
  const golden_texts texts{settings.model};
  bench_chaos_swarm swarm{settings};
  const auto options = bench_client(settings, swarm.address());
  std::vector<std::unique_ptr<chaos_client>> all;
  for (size_t i = 0; i < clients; ++i)
    all.push_back(std::make_unique<chaos_client>(options, texts, settings.seed + 1 + i));
  const auto time = std::chrono::duration<double, std::ratio<60>>(settings.minutes);
  swarm.rage(steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(time));
  swarm.calm();
  for (auto& one : all) one->stop();
  tally sum;
  for (auto& one : all) sum.add(one->result());
  // The clients are still there: what they left behind is not freed by the loss of their links.
  const auto leaking = leaking_servers(swarm, options);
  const auto count = [](size_t number) { return static_cast<double>(number); };
  std::vector<bench_row> rows{
      {"seed", count(settings.seed), "", {}, {}, 1},
      {"wrong tokens", count(sum.wrong_tokens), "tokens", 0.0, {}, sum.finished},
      {"lost generations", count(sum.lost), "generations", 0.0, {}, sum.finished + sum.lost},
      {"leaked sessions", count(leaking), "servers", 0.0, {}, 5},
      {"finished generations", count(sum.finished), "generations", {}, {}, sum.finished},
      {"of these mended under way", count(sum.mended), "generations", {}, {}, sum.finished},
      {"longest pause", sum.longest_pause.count(), "ms", {}, {}, sum.finished}};
  for (size_t i = 0; i < chaos_fault_names.size(); ++i)
    rows.push_back({chaos_fault_names[i], count(swarm.faults()[i]), "times", {}, {}, 1});
  return rows;
}

}  // namespace corolla::runtime
