#include "model/ragged.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

namespace corolla::model {

at::Tensor positions_of(const ragged_pass& pass, c10::Device device) {
  std::vector<float> positions;
  for (const auto& part : pass.parts)
    for (int64_t b = 0; b < part.B; ++b)
      for (int64_t t = 0; t < part.T; ++t) positions.push_back(static_cast<float>(part.position + t));
  const auto R = static_cast<int64_t>(positions.size());
  return at::from_blob(positions.data(), {R}, at::TensorOptions(at::kFloat))
      .to(device, /*non_blocking=*/false, /*copy=*/true);
}

at::Tensor attend(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const ragged_pass& pass, kv_cache& cache,
    int64_t block) {
  auto y = at::empty(q.sizes(), q.options());  // [R, H, D]
  for (const auto& part : pass.parts) {
    const auto rows_of = [&](const at::Tensor& t) {  // [B, T, heads, D]
      return t.narrow(0, part.row, part.num_rows()).unflatten(0, {part.B, part.T});
    };
    cache.write(block, *part.session, part.position, rows_of(k), rows_of(v));
    const auto queries = rows_of(q), outputs = rows_of(y);
    for (const auto& stored : cache.read(block, *part.session, part.S())) {
      const auto count = stored.keys.size(0);
      outputs.narrow(0, stored.row, count)
          .copy_(attention(queries.narrow(0, stored.row, count), stored.keys, stored.values, part.mask));
    }
  }
  return y.flatten(1);
}

}  // namespace corolla::model
