// Rows times a weight matrix with AVX2, on bare pointers.
//
// Every output is the sum of the same eight partial sums in the same order, whatever tile it is computed in: the number
// of rows changes the speed, never a bit.
#pragma once

#include <cstdint>

namespace corolla::model {

/// A bfloat16 as it lies in memory.
using bfloat16_bits = uint16_t;

/// output[r, c] = sum over d of input[r, d] * weight[c, d], all row-major and dense.  `Weight`: float or bfloat16_bits.
template <class Weight>
struct row_product {
  const float* input;
  const Weight* weight;
  float* output;
  int64_t rows, columns, depth;
};

/// Columns that are computed together: their weights stay in the second-level cache while the rows pass.
inline constexpr int64_t columns_per_group = 24;

/// Whether this processor can run it.
bool has_row_kernel();

/// Computes columns [begin, end) of every row.  `begin` is a multiple of columns_per_group.
template <class Weight>
void compute_columns(const row_product<Weight>& product, int64_t begin, int64_t end);

}  // namespace corolla::model
