// The embedded client: generates text and reads hidden states through a swarm, or in this process, in plain C++20.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include "model/generation.hpp"
#include "model/tensor.hpp"
#include "model/tokenizer.hpp"
#include "runtime/swarm_options.hpp"

namespace corolla::runtime {

/// What failed and what to do, in one sentence.
struct client_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// The caller asked for a stop.
struct cancelled : client_error {
  using client_error::client_error;
};

struct client_options {
  std::filesystem::path model;
  /// corolla://ID@HOST:PORT of any nodes of the swarm: one that answers suffices.  Empty with `local`.
  std::vector<std::string> peers;
  /// Runs all blocks in this process.
  bool local = false;
  model::dtype compute = model::dtype::float32;
  uint32_t threads = 1;
  swarm_options swarm;
  /// Prompts go through the chain in steps of so many tokens, without waiting unless `pipeline` is false.
  uint32_t chunk_tokens = 64;
  bool pipeline = true;
  std::chrono::milliseconds alloc_timeout{0};
  /// Without a token, however many servers were tried meanwhile, after which a generation is given up.
  std::chrono::milliseconds step_timeout{60'000};
  /// A generation moves, while it runs, to a route of which a token would take so many times less.
  double better_by = 1.5;
  /// Deep prompts of all blocks, [blocks, P, C] of a float type: vector p of a block is added to what goes into it at
  /// position p, for each text (runtime/deep_prompts.hpp reads them).  Empty: none.  What does not fit the model makes
  /// `make` throw.
  model::tensor deep_prompts;
  /// Ids of servers (what stands in an address between corolla:// and @).  Routes use those allowed alone, any where
  /// there is none, and never those blocked.
  std::vector<std::string> allow, block;
};

struct route_hop {
  std::string peer;
  uint32_t begin = 0, end = 0;
  double ms = 0;  ///< median time of one decode step there
};
/// A part of the chain that was replaced under way.
struct route_recovery {
  uint32_t begin = 0, end = 0;  ///< blocks; equal where only an edge between two servers was
  bool late = false;            ///< what was replaced was late, not lost
  bool moved = false;           ///< it was leaving, or a better route was found: it served until then
  bool handed_over = false;     ///< and gave what it had: nothing was computed again
  uint32_t restored_tokens = 0;
  std::chrono::steady_clock::time_point noticed;  ///< when the loss was known here
  std::chrono::microseconds opening{0};           ///< from then until substitutes were open
  std::chrono::microseconds restoring{0};         ///< from then until they held what was lost
  std::chrono::microseconds switching{0};         ///< from then until the chain went through them
};
/// A hop reported that it had computed and forwarded a step, at `at` on this client's clock.
struct step_trace {
  uint32_t hop = 0;
  uint64_t seq = 0;
  std::chrono::microseconds computing{0};
  std::chrono::steady_clock::time_point at;
};
struct generated {
  std::vector<int64_t> ids;
  std::string text;
  double time_to_first_token_s = 0;
  double tokens_per_s = 0;  ///< after the first token
  std::vector<route_hop> route;
  std::vector<route_recovery> recoveries;
  std::vector<step_trace> trace;  ///< the latest 4096 steps; empty where the model ran in this process
};
struct evaluated {
  model::tensor embeddings, final_norm, logits;  ///< [B, S, C], [B, S, C], [B, S, V]
  std::vector<model::tensor> block_outputs;      ///< where asked for
};

/// Thread-safe: calls from several threads run side by side.
class client {
 public:
  virtual ~client() = default;
  /// Loads what a client holds of the model and joins the swarm.  Throws client_error (also for model errors).
  static std::unique_ptr<client> make(const client_options& options);

  /// Null where the model brings no tokenizer.
  virtual std::shared_ptr<const model::tokenizer> tokenizer() const = 0;
  /// `on_token` is called in a thread of the client's for each token as it comes, and `on_route` there before the first
  /// with the chain as it was opened (never where the model runs in this process).  A stop asked for through `cancel`
  /// closes the session on every server, and throws `cancelled`.
  virtual generated generate(
      const model::generation_request& request, const std::function<void(const model::generated_token&)>& on_token = {},
      std::stop_token cancel = {}, const std::function<void(const std::vector<route_hop>&)>& on_route = {}) = 0;
  /// input_ids [B, S] int64.  `hidden` asks for each block's output.
  virtual evaluated evaluate(const model::tensor& input_ids, bool hidden) = 0;
};

}  // namespace corolla::runtime
