// What two families share.  Pure functions of tensors.
// R rows, B batch, T new tokens, S all tokens, H heads, K key/value heads, D head size.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

namespace corolla::model {

/// x: [R, C], weight: [C] -> [R, C].
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps);

/// Every position is divided by `factor`.
struct linear_rope_scaling {
  double factor = 1;
};
/// Llama 3.1: long waves are stretched by `factor`, short ones are kept, and between the two it goes over smoothly.
struct llama3_rope_scaling {
  double factor = 1, low_freq_factor = 1, high_freq_factor = 4;
  double original_max_position_embeddings = 8192;
};
using rope_scaling = std::variant<std::monostate, linear_rope_scaling, llama3_rope_scaling>;

/// [head_dim / 2] frequencies in float32, whatever the weights' type.
std::vector<float> rope_frequencies(int64_t head_dim, double rope_theta, const rope_scaling& scaling);

/// Cosines and sines of R positions; float32 [R, 1, D / 2].
struct rotation {
  at::Tensor cos, sin;
};
/// positions: float32 [R], frequencies: float32 [D / 2].
rotation rotation_at(const at::Tensor& positions, const at::Tensor& frequencies);
/// Turns the pairs (i, i + D / 2) of every head.  x: [R, H, D] -> [R, H, D]; computed in float32.
at::Tensor rotate(const at::Tensor& x, const rotation& by);

/// BLOOM's slopes for any number of heads: a geometric series for the closest power of two below, and every second term
/// of the series for twice as many heads for the rest.
std::vector<float> alibi_slopes(int64_t num_heads);
/// slopes: float32 [H] -> float32 [H, T, S]: slope × (position of the key - last position), -inf where the key is later
/// than the query. The T queries are the last of the S positions.
at::Tensor alibi_mask(const at::Tensor& slopes, int64_t T, int64_t S);
/// float32 [T, S]: 0, or -inf where the key is later than the query; the T queries are the last of the S positions.
at::Tensor causal_mask(int64_t T, int64_t S, c10::Device device);

/// What a query may see.
struct attention_mask {
  /// Added to the scores: [T, S] or [H, T, S]; undefined: nothing is added.
  at::Tensor added;
  /// Each query sees the keys up to its own position, and T = S.
  bool is_causal = false;
};
/// q: [B, T, H, D]; keys, values: [B, K, S, D], H a multiple of K -> [B, T, H, D].  Scores are divided by sqrt(D).
at::Tensor attention(const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, const attention_mask& mask);

}  // namespace corolla::model
