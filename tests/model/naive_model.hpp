// The families once more, as slowly and plainly as possible: in double precision, on nested vectors, without cache,
// batch or any code of the model folder but the weights' reader.  What the tests hold the blocks against.
#pragma once

#include <cstdint>
#include <vector>

#include "model/checkpoint.hpp"

namespace corolla::tests {

using naive_row = std::vector<double>;
using naive_rows = std::vector<naive_row>;

/// `hidden`, one row for each position from 0 on, through block `index`.
naive_rows naive_llama_block(const model::checkpoint& c, int index, const naive_rows& hidden);
naive_rows naive_bloom_block(const model::checkpoint& c, int index, const naive_rows& hidden);

/// What a client does: ids to hidden rows, and hidden rows to logits.
naive_rows naive_llama_embed(const model::checkpoint& c, const std::vector<int64_t>& ids);
naive_rows naive_llama_logits(const model::checkpoint& c, const naive_rows& hidden);
naive_rows naive_bloom_embed(const model::checkpoint& c, const std::vector<int64_t>& ids);
naive_rows naive_bloom_logits(const model::checkpoint& c, const naive_rows& hidden);

}  // namespace corolla::tests
