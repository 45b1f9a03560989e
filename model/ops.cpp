#include "model/ops.hpp"

#include <cmath>
#include <limits>
#include <numbers>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/scaled_dot_product_attention.h>

namespace corolla::model {

namespace {

constexpr auto minus_infinity = -std::numeric_limits<float>::infinity();

float scaled(float frequency, const linear_rope_scaling& s) { return frequency / static_cast<float>(s.factor); }

float scaled(float frequency, const llama3_rope_scaling& s) {
  const auto original = s.original_max_position_embeddings;
  const auto wave_length = 2 * std::numbers::pi / frequency;
  if (wave_length < original / s.high_freq_factor) return frequency;
  const auto stretched = frequency / static_cast<float>(s.factor);
  if (wave_length > original / s.low_freq_factor) return stretched;
  const auto kept = (original / wave_length - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  return static_cast<float>((1 - kept) * stretched + kept * frequency);
}

float scaled(float frequency, std::monostate) { return frequency; }

/// 2^(-8 / heads), squared, cubed …: the slopes of a power of two heads.
float slope_base(int64_t heads) { return std::exp2(-8.0f / static_cast<float>(heads)); }

at::Tensor dot_product_attention(
  const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, const attention_mask& mask) {
  const auto added = mask.added.defined() ? std::optional(mask.added) : std::nullopt;
  return at::scaled_dot_product_attention(q, keys, values, added, /*dropout_p=*/0.0, mask.is_causal);
}

/// One new token: its G heads of a key/value head are G queries that see every key.
at::Tensor attention_of_one(
  const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, const attention_mask& mask) {
  const auto B = q.size(0), H = q.size(2), D = q.size(3), K = keys.size(1), S = keys.size(2);
  auto folded = attention_mask{mask.added, /*is_causal=*/false};
  if (mask.added.dim() == 3) folded.added = mask.added.reshape({1, K, H / K, S});  // from [H, 1, S]
  if (mask.added.dim() == 2) folded.added = mask.added.expand({H / K, S});         // from [1, S]
  return dot_product_attention(q.reshape({B, K, H / K, D}), keys, values, folded).reshape({B, 1, H, D});
}

/// One row of the batch: each key/value head is shared by its G heads without being copied.
at::Tensor attention_of_row(
  const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, const attention_mask& mask) {
  const auto T = q.size(0), H = q.size(1), D = q.size(2), K = keys.size(0), S = keys.size(1), G = H / K;
  const auto shared = [&](const at::Tensor& t) { return t.unsqueeze(1).expand({K, G, S, D}); };
  auto grouped = mask;
  if (mask.added.dim() == 3) grouped.added = mask.added.reshape({K, G, T, S});
  const auto y = dot_product_attention(q.reshape({T, K, G, D}).permute({1, 2, 0, 3}), shared(keys), shared(values), grouped);
  return y.permute({2, 0, 1, 3}).reshape({T, H, D});
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return at::rms_norm(x, weight.sizes(), weight, eps);
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps) {
  return at::layer_norm(x, weight.sizes(), weight, bias, eps);
}

std::vector<float> rope_frequencies(int64_t head_dim, double rope_theta, const rope_scaling& scaling) {
  std::vector<float> frequencies;
  for (int64_t i = 0; i < head_dim; i += 2) {
    const auto power = static_cast<float>(i) / static_cast<float>(head_dim);
    const auto frequency = 1.0f / std::pow(static_cast<float>(rope_theta), power);
    frequencies.push_back(std::visit([&](const auto& s) { return scaled(frequency, s); }, scaling));
  }
  return frequencies;
}

rotation rotation_at(const at::Tensor& positions, const at::Tensor& frequencies) {
  const auto angles = positions.view({-1, 1, 1}).mul(frequencies);
  return {angles.cos(), angles.sin()};
}

at::Tensor rotate(const at::Tensor& x, const rotation& by) {
  const auto half = x.size(-1) / 2;
  const auto wide = x.to(at::kFloat);
  const auto first = wide.narrow(-1, 0, half), second = wide.narrow(-1, half, half);
  auto y = at::empty(x.sizes(), wide.options());
  auto turned_first = y.narrow(-1, 0, half), turned_second = y.narrow(-1, half, half);
  at::mul_out(turned_first, first, by.cos).addcmul_(second, by.sin, /*value=*/-1);
  at::mul_out(turned_second, second, by.cos).addcmul_(first, by.sin);
  return y.to(x.scalar_type());
}

std::vector<float> alibi_slopes(int64_t num_heads) {
  int64_t power = 1;
  while (power * 2 <= num_heads) power *= 2;
  std::vector<float> slopes;
  for (int64_t i = 1; i <= power; ++i) slopes.push_back(std::pow(slope_base(power), static_cast<float>(i)));
  for (int64_t i = 0; i < num_heads - power; ++i)
    slopes.push_back(std::pow(slope_base(2 * power), static_cast<float>(2 * i + 1)));
  return slopes;
}

at::Tensor alibi_mask(const at::Tensor& slopes, int64_t T, int64_t S) {
  const auto distances = at::arange(1 - S, 1, slopes.options());  // [S]
  auto mask = slopes.view({-1, 1, 1}).mul(distances);             // [H, 1, S]
  if (T == 1) return mask;
  return mask.add(causal_mask(T, S, slopes.device()));
}

at::Tensor causal_mask(int64_t T, int64_t S, c10::Device device) {
  return at::full({T, S}, minus_infinity, at::TensorOptions(at::kFloat).device(device)).triu_(/*diagonal=*/S - T + 1);
}

at::Tensor attention(
  const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, const attention_mask& mask) {
  const auto B = q.size(0), T = q.size(1), H = q.size(2);
  if (T == 1) return attention_of_one(q, keys, values, mask);
  if (keys.size(1) == H) {
    const auto of_heads = mask.added.dim() == 3 ? mask.added.unsqueeze(0) : mask.added;
    return dot_product_attention(q.transpose(1, 2), keys, values, {of_heads, mask.is_causal}).transpose(1, 2);
  }
  if (B == 1) return attention_of_row(q[0], keys[0], values[0], mask).unsqueeze(0);
  auto y = at::empty(q.sizes(), q.options());
  for (int64_t b = 0; b < B; ++b) y[b].copy_(attention_of_row(q[b], keys[b], values[b], mask));
  return y;
}

}  // namespace corolla::model
