// The door from actors to the blocks: a span of consecutive transformer blocks with its key/value cache.
// No ATen here; what computes is behind the interface.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/block_range.hpp"
#include "model/checkpoint.hpp"
#include "model/tensor.hpp"

namespace corolla::model {

struct span_options {
  /// float32 or bfloat16: what weights, cache and arithmetic use.
  dtype compute = dtype::float32;
  /// "cpu" or "cuda:N".  A GPU is looked for (dlopen) only when one is named.
  std::string device = "cpu";
  /// Tokens in a page of the cache.
  uint32_t page_tokens = 16;
  /// Size of the cache: tokens that all sessions together may hold (each with keys and values of every block), rounded
  /// up to pages.
  uint64_t cache_tokens = 4096;
};

/// One session's place in the cache.
using cache_id = uint64_t;

/// One piece of work: T new tokens of one session.
struct span_step {
  cache_id cache = 0;
  /// Where the tokens go: the session's cache is truncated to `position`, then T tokens are appended.
  uint32_t position = 0;
  /// [B, T, C] in any float type; B as reserved; T = 0 only truncates (and reorders).
  tensor hidden;
  /// Empty, or B indices: row i continues what row hypo_ids[i] was (beam search); applied before the truncation.
  std::vector<uint32_t> hypo_ids;
  /// Type of the output.
  dtype output = dtype::float32;
};

/// [B, T, C], or why this step alone failed.  A failed step leaves its session's cache undefined.
struct span_result {
  tensor hidden;
  std::string error;  ///< empty: done
  bool ok() const { return error.empty(); }
};

/// Not thread-safe: one thread at a time (block_actor's).  Memory: weights + cache pages as they are first used.
class span {
 public:
  virtual ~span() = default;

  /// Loads `blocks` of a model.  `progress(blocks_done, blocks_all)` may be empty.  Throws checkpoint_error (file,
  /// field), std::invalid_argument (options, a range beyond the model, an unknown family) or std::runtime_error (no
  /// such device).
  static std::unique_ptr<span> load(
      const checkpoint& source, block_range blocks, const span_options& options,
      const std::function<void(uint32_t, uint32_t)>& progress = {});

  virtual block_range blocks() const = 0;
  virtual int64_t hidden_size() const = 0;
  /// The most positions a session can have (max_position_embeddings), or UINT32_MAX where the family has no limit
  /// (ALiBi).
  virtual uint32_t max_positions() const = 0;

  /// Pages for `batch` rows of `max_length` tokens of the blocks `part` (within blocks()); nullopt when there is no
  /// room now. Throws std::invalid_argument for a batch or length of 0 and for a part outside the span.
  virtual std::optional<cache_id> reserve(block_range part, uint32_t batch, uint32_t max_length) = 0;
  virtual void release(cache_id id) = 0;
  /// Tokens that `reserve` takes for such a session: batch × max_length rounded up to pages.
  virtual uint64_t tokens_needed(uint32_t batch, uint32_t max_length) const = 0;
  virtual uint64_t cache_tokens() const = 0;
  virtual uint64_t free_tokens() const = 0;

  /// Deep prompts, [blocks of the session's part, P, C] of a float type: vector p of a block is added to what goes into
  /// that block at position p, in each row of the batch, whenever the position is computed (deep prompt tuning as in
  /// Petals; Liu et al., "P-Tuning v2", 2021).  They take the place of what was set before.  Throws
  /// std::invalid_argument for an unknown session, another shape, P above the session's max_length, and values that are
  /// not finite.
  virtual void set_prompts(cache_id id, const tensor& prompts) = 0;

  /// Runs the steps as one pass over the weights: linear layers over the rows of all steps, attention for each session.
  /// Each session appears at most once.  All steps' sessions have the same part of the span.  Inputs are checked here:
  /// shape, float type, finite values, position and length; what does not fit fails that step alone.  Between blocks
  /// `stop` is looked at; once it is true the pass ends and every step fails with "stopped".
  virtual std::vector<span_result> run(std::span<const span_step> steps, const std::atomic<bool>& stop) = 0;

  /// Keys beside values, as one block of a session keeps them: [B, T, cache_width()] of positions [position, position +
  /// T), in the type that the span computes with.  Throws std::invalid_argument for what the session does not hold.
  virtual tensor read_cache(cache_id id, uint32_t block, uint32_t position, uint32_t tokens) const = 0;
  /// Puts them into a session, whose length is afterwards where what was last given to the last of its blocks ends.
  /// Throws std::invalid_argument for another shape or type, values that are not finite, and positions beyond the
  /// session's length or max_length.
  virtual void write_cache(cache_id id, uint32_t block, uint32_t position, const tensor& rows) = 0;
  /// Keys and values of a token in one block: 2 × K × D elements.
  virtual int64_t cache_width() const = 0;
};

/// Threads that tensor operations of this process use; call before the first `load`.
void set_compute_threads(uint32_t threads);

}  // namespace corolla::model
