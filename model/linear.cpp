#include "model/linear.hpp"

#include <algorithm>
#include <cstdint>

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>

#include "model/row_kernel.hpp"

namespace corolla::model {

namespace {

/// Multiplications that are worth waking a thread for.
constexpr int64_t min_products_per_thread = 1 << 17;

template <class Weight>
at::Tensor multiply(const at::Tensor& x, const at::Tensor& weight) {
  const auto rows = x.size(0), depth = x.size(1), columns = weight.size(0);
  const auto input = x.to(at::kFloat).contiguous();
  auto output = at::empty({rows, columns}, input.options());
  const row_product<Weight> product{
      input.const_data_ptr<float>(),
      static_cast<const Weight*>(weight.const_data_ptr()),
      output.mutable_data_ptr<float>(),
      rows,
      columns,
      depth};
  const auto groups = (columns + columns_per_group - 1) / columns_per_group;
  const auto products_per_group = std::max<int64_t>(1, rows * depth * columns_per_group);
  const auto grain = std::max<int64_t>(1, min_products_per_thread / products_per_group);
  at::parallel_for(0, groups, grain, [&](int64_t begin, int64_t end) {
    compute_columns(product, begin * columns_per_group, std::min(end * columns_per_group, columns));
  });
  return output;
}

bool suits_row_kernel(const at::Tensor& x, const at::Tensor& weight) {
  const auto type = weight.scalar_type();
  return has_row_kernel() && x.device().is_cpu() && weight.is_contiguous() && x.scalar_type() == type &&
         (type == at::kFloat || type == at::kBFloat16);
}

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  if (!suits_row_kernel(x, weight)) return at::linear(x, weight, bias);
  const auto type = weight.scalar_type();
  auto y = type == at::kFloat ? multiply<float>(x, weight) : multiply<bfloat16_bits>(x, weight);
  if (bias) y.add_(*bias);
  return y.to(type);
}

}  // namespace corolla::model
