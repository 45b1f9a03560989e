#include "model/ops.hpp"

#include <cmath>
#include <limits>
#include <numbers>

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/scaled_dot_product_attention.h>

namespace corolla::model {

namespace {

constexpr auto minus_infinity = -std::numeric_limits<float>::infinity();

float scaled(float frequency, const linear_rope_scaling& s) {
  return frequency / static_cast<float>(s.factor);
}

float scaled(float frequency, const llama3_rope_scaling& s) {
  const auto original = s.original_max_position_embeddings;
  const auto wave_length = 2 * std::numbers::pi / frequency;
  if (wave_length < original / s.high_freq_factor) return frequency;
  const auto stretched = frequency / static_cast<float>(s.factor);
  if (wave_length > original / s.low_freq_factor) return stretched;
  const auto kept = (original / wave_length - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  return static_cast<float>((1 - kept) * stretched + kept * frequency);
}

float scaled(float frequency, std::monostate) {
  return frequency;
}

/// 2^(-8 / heads), squared, cubed …: the slopes of a power of two heads.
float slope_base(int64_t heads) {
  return std::exp2(-8.0f / static_cast<float>(heads));
}

at::Tensor dot_product_attention(
    const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, const at::Tensor& added, bool is_causal) {
  std::optional<at::Tensor> mask;
  // The CPU adds a float32 mask to scores of any type; CUDA's kernels want the type of the queries.
  if (added.defined()) mask = q.is_cpu() ? added : added.to(q.scalar_type());
  return at::scaled_dot_product_attention(
      q, keys, values, mask, /*dropout_p=*/0.0, is_causal, /*scale=*/{}, /*enable_gqa=*/q.size(1) != keys.size(1));
}

/// One new token: its G heads of a key/value head are G queries that see every key; one product in place of G.
at::Tensor attention_of_one(
    const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, const at::Tensor& added) {
  const auto B = q.size(0), H = q.size(2), D = q.size(3), K = keys.size(1), S = keys.size(2), G = H / K;
  const auto rank = added.defined() ? added.dim() : 0;
  auto folded = added;
  if (rank == 3) folded = added.reshape({1, K, G, S});  // from [H, 1, S]
  if (rank == 2) folded = added.expand({G, S});         // from [1, S]
  return dot_product_attention(q.reshape({B, K, G, D}), keys, values, folded, /*is_causal=*/false)
      .reshape({B, 1, H, D});
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
  if (q.size(1) == 1) return attention_of_one(q, keys, values, mask.added);
  const bool by_head = mask.added.defined() && mask.added.dim() == 3;
  const auto added = by_head ? mask.added.unsqueeze(0) : mask.added;
  return dot_product_attention(q.transpose(1, 2), keys, values, added, mask.is_causal).transpose(1, 2);
}

}  // namespace corolla::model
