// One pass over the blocks for several sessions at once: their rows lie one below the other, so that every layer of
// weights is read once for all; attention alone is computed for each session over its own cache.
// R rows of all sessions, B batch, T new tokens, S all tokens, H heads, K key/value heads, D head size.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/kv_cache.hpp"
#include "model/ops.hpp"

namespace corolla::model {

/// One session's rows: B × T of them, row-major, from `row` on.
struct ragged_part {
  const kv_cache::session* session;
  int64_t row, B, T;
  int64_t position;  ///< of the first new token
  attention_mask mask;

  int64_t num_rows() const { return B * T; }
  int64_t S() const { return position + T; }
};

struct ragged_pass {
  std::vector<ragged_part> parts;
  /// Where a family turns queries and keys.
  rotation turn;
};

/// float32 [R]: the position of every row.
at::Tensor positions_of(const ragged_pass& pass, c10::Device device);

/// Causal self-attention; stores the new keys and values in the cache.  q: [R, H, D]; k, v: [R, K, D] -> [R, H × D].
at::Tensor attend(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const ragged_pass& pass, kv_cache& cache,
    int64_t block);

}  // namespace corolla::model
