// What a family of models has to offer.  Another family is one file pair and one line in family.cpp.
// R rows, C hidden size, V vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <ATen/core/Tensor.h>

#include "model/checkpoint.hpp"
#include "model/kv_cache.hpp"
#include "model/ragged.hpp"
#include "model/weight_source.hpp"

namespace corolla::model {

/// One transformer block's weights.  Its family must outlive it.
class block {
 public:
  virtual ~block() = default;
  /// hidden: [R, C] -> [R, C].  `index` is the block's place in the cache.
  virtual at::Tensor forward(
      const at::Tensor& hidden, const ragged_pass& pass, kv_cache& cache, int64_t index) const = 0;
};

/// What stands before the first block and behind the last.
class outer_layers {
 public:
  virtual ~outer_layers() = default;
  /// ids: int64 [R] -> [R, C]: what the first block receives.
  virtual at::Tensor embed(const at::Tensor& ids) const = 0;
  /// [R, C] -> [R, C]
  virtual at::Tensor final_norm(const at::Tensor& hidden) const = 0;
  /// [R, C], normalised -> [R, V]
  virtual at::Tensor head(const at::Tensor& hidden) const = 0;
};

class family {
 public:
  struct sizes {
    int64_t num_blocks, hidden_size, vocab_size;
    int64_t num_key_value_heads, head_dim;  ///< of the cache
  };

  virtual ~family() = default;
  virtual const sizes& dims() const = 0;
  /// The most positions a sequence may have; UINT32_MAX: any number.
  virtual uint32_t max_positions() const = 0;
  /// Why a sequence cannot have so many positions (both numbers are named), or nothing.
  virtual std::string refuse_length(uint32_t length) const = 0;

  /// Fills in what depends on positions alone and serves all blocks: masks and rotations.
  virtual void prepare(ragged_pass& pass, c10::Device device) const = 0;
  virtual std::unique_ptr<block> load_block(const weight_source& weights, uint32_t index) const = 0;
  virtual std::unique_ptr<outer_layers> load_outer(const weight_source& weights) const = 0;
};

/// Reads the config.  Throws checkpoint_error for a field that is missing or wrong, and std::invalid_argument for a
/// model_type that is none of those known.
std::unique_ptr<family> read_family(const checkpoint& source);

}  // namespace corolla::model
