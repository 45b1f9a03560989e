#include "runtime/bench_inference.hpp"

#include <memory>
#include <stdexcept>

#include "model/checkpoint.hpp"
#include "runtime/bench_swarm.hpp"

namespace corolla::runtime {
namespace {

constexpr uint32_t prompt_tokens = 16;
constexpr uint32_t new_tokens = 24;
constexpr uint32_t long_prompt = 512;
constexpr size_t rounds = 7;
constexpr size_t decode_rounds = 21;

std::string needed_model(const bench_settings& settings) {
  if (settings.model.empty()) throw std::runtime_error("this measurement needs --model");
  return settings.model;
}

/// Servers with equal parts of the model's blocks; the first is known to the others.
std::vector<std::unique_ptr<bench_node>> start_chain(const bench_settings& settings, const std::vector<int>& where) {
  auto blocks = model::num_blocks(*model::checkpoint::open(settings.model));
  auto count = static_cast<uint32_t>(where.size());
  std::vector<std::unique_ptr<bench_node>> nodes;
  for (uint32_t i = 0; i < count; ++i) {
    bench_node_options options;
    options.model = settings.model;
    options.blocks = {blocks * i / count, blocks * (i + 1) / count};
    options.threads = settings.threads;
    options.processor = where[i];
    if (i > 0) options.peer = nodes.front()->address();
    nodes.push_back(std::make_unique<bench_node>(options));
  }
  return nodes;
}

}  // namespace

std::vector<bench_row> bench_inference(const bench_settings& settings) {
  auto prompt = bench_prompt(needed_model(settings), prompt_tokens);
  // Neighbours on the route do not share a processor, as they would not on machines of their own.
  auto available = processors();
  auto at = [&](size_t i) { return available[i % available.size()]; };
  pin_to(at(0));
  auto nodes = start_chain(settings, {at(1), at(2), at(3)});
  auto local = client::make(bench_client(settings));
  auto remote = client::make(bench_client(settings, nodes.front()->address()));

  std::vector<double> here, there;
  auto request = bench_request(prompt, new_tokens);
  local->generate(request);  // warm
  remote->generate(request);
  std::vector<double> ratios;
  for (size_t round = 0; round < decode_rounds; ++round) {
    here.push_back(local->generate(request).tokens_per_s);
    there.push_back(remote->generate(request).tokens_per_s);
    ratios.push_back(there.back() / here.back());
  }
  // Of neighbours in time: what else goes on in a machine changes its memory's speed within seconds.
  const auto ratio = median(ratios);
  return {
      {"decode, one process", median(here), "tokens/s", {}, {}, decode_rounds},
      {"decode, three server processes", median(there), "tokens/s", {}, ratio, decode_rounds},
      {"decode, three server processes / one process", ratio, "ratio", 0.95, ratio, decode_rounds}};
}

std::vector<bench_row> bench_prefill(const bench_settings& settings) {
  auto prompt = bench_prompt(needed_model(settings), long_prompt);
  auto available = processors();
  if (available.size() < 2) throw std::runtime_error("this measurement needs two processors");
  auto nodes = start_chain(settings, {available[0], available[1]});
  auto options = bench_client(settings, nodes.front()->address());
  auto flowing = client::make(options);
  options.pipeline = false;
  auto waiting = client::make(options);

  std::vector<double> with, without;
  auto request = bench_request(prompt, 1);
  flowing->generate(request);  // warm
  for (size_t round = 0; round < rounds; ++round) {
    with.push_back(flowing->generate(request).time_to_first_token_s);
    without.push_back(waiting->generate(request).time_to_first_token_s);
  }
  auto pipelined = median(with), one_by_one = median(without);
  return {
      {"prompt of 512 tokens, one chunk at a time", one_by_one, "s", {}, {}, rounds},
      {"prompt of 512 tokens, chunks flowing", pipelined, "s", {}, one_by_one / pipelined, rounds},
      {"speed-up by chunks that flow", one_by_one / pipelined, "ratio", 1.6, one_by_one / pipelined, rounds}};
}

}  // namespace corolla::runtime
