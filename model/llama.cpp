#include "model/llama.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/ops/embedding.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>

#include "model/config_fields.hpp"
#include "model/file_error.hpp"
#include "model/linear.hpp"
#include "model/ops.hpp"

namespace corolla::model {

namespace {

using activation = at::Tensor (*)(const at::Tensor&);

struct named_activation {
  std::string_view name;
  activation apply;
};

at::Tensor gelu_tanh(const at::Tensor& x) {
  return at::gelu(x, /*approximate=*/"tanh");
}

constexpr named_activation activations[] = {
    {"silu", [](const at::Tensor& x) { return at::silu(x); }},
    {"swish", [](const at::Tensor& x) { return at::silu(x); }},
    {"gelu", [](const at::Tensor& x) { return at::gelu(x); }},
    {"gelu_new", gelu_tanh},
    {"gelu_pytorch_tanh", gelu_tanh},
    {"relu", [](const at::Tensor& x) { return at::relu(x); }},
};

struct llama_config {
  family::sizes sizes;
  int64_t num_attention_heads, intermediate_size, max_position_embeddings;
  std::optional<int64_t> sliding_window;
  double rms_norm_eps, rope_theta;
  rope_scaling scaling;
  activation hidden_act;
  bool attention_bias, mlp_bias, tie_word_embeddings;
};

activation read_activation(const config_fields& fields) {
  const auto name = fields.text_or("hidden_act", "silu");
  std::string known;
  for (const auto& a : activations) {
    if (a.name == name) return a.apply;
    known += (known.empty() ? "" : ", ") + std::string(a.name);
  }
  fields.refuse("hidden_act", "is " + in_quotes(name) + "; known are " + known);
}

rope_scaling read_scaling(const config_fields& fields) {
  // The name of the type's own field: "type" until transformers 4.43.
  const auto type = fields.text_or("rope_type", fields.text_or("type", "default"));
  if (fields.positive_or("partial_rotary_factor", 1) != 1) fields.refuse("partial_rotary_factor", "is not 1");
  if (type == "default") return {};
  if (type == "linear") return linear_rope_scaling{fields.positive("factor")};
  if (type != "llama3") fields.refuse("rope_type", "is " + in_quotes(type) + "; known are default, linear, llama3");
  const llama3_rope_scaling s{
      fields.positive("factor"), fields.positive("low_freq_factor"), fields.positive("high_freq_factor"),
      fields.positive("original_max_position_embeddings")};
  if (s.high_freq_factor <= s.low_freq_factor) fields.refuse("high_freq_factor", "is not above low_freq_factor");
  return s;
}

/// transformers 5 keeps base and scaling together in rope_parameters; before, they were rope_theta and rope_scaling.
void read_rope(const config_fields& fields, llama_config& c) {
  const auto together = fields.object("rope_parameters");
  const auto base = fields.positive_or("rope_theta", 10000);
  c.rope_theta = together.positive_or("rope_theta", base);
  c.scaling = read_scaling(fields.has("rope_parameters") ? together : fields.object("rope_scaling"));
}

llama_config read_config(const checkpoint& source) {
  const config_fields fields(source);
  llama_config c;
  const auto hidden_size = fields.size({"hidden_size"});
  c.num_attention_heads = fields.size({"num_attention_heads"});
  const auto key_value_heads = fields.size_or("num_key_value_heads", c.num_attention_heads);
  if (c.num_attention_heads % key_value_heads != 0)
    fields.refuse(
        "num_key_value_heads", "(" + std::to_string(key_value_heads) + ") does not divide num_attention_heads " +
                                   std::to_string(c.num_attention_heads));
  if (!fields.has("head_dim") && hidden_size % c.num_attention_heads != 0)
    fields.refuse(
        "num_attention_heads", "(" + std::to_string(c.num_attention_heads) + ") does not divide hidden_size " +
                                   std::to_string(hidden_size) + ", and there is no head_dim");
  const auto head_dim = fields.size_or("head_dim", std::max<int64_t>(1, hidden_size / c.num_attention_heads));
  if (head_dim % 2 != 0) fields.refuse("head_dim", "(" + std::to_string(head_dim) + ") is odd");
  c.sizes = {num_blocks(source), hidden_size, fields.size({"vocab_size"}), key_value_heads, head_dim};
  c.intermediate_size = fields.size({"intermediate_size"});
  c.max_position_embeddings = fields.size({"max_position_embeddings"});
  c.rms_norm_eps = fields.positive_or("rms_norm_eps", 1e-6);
  read_rope(fields, c);
  c.hidden_act = read_activation(fields);
  c.attention_bias = fields.flag_or("attention_bias", false);
  c.mlp_bias = fields.flag_or("mlp_bias", false);
  c.tie_word_embeddings = fields.flag_or("tie_word_embeddings", false);
  return c;
}

/// A linear layer with or without a bias.
struct projection {
  at::Tensor weight;
  std::optional<at::Tensor> bias;
};

at::Tensor apply(const projection& p, const at::Tensor& x) {
  return linear(x, p.weight, p.bias);
}

/// Layers that read the same input are one matrix: [rows of all, in].
projection load_projection(
    const weight_source& weights, const std::vector<weight_source::part>& layers, int64_t in, bool has_bias) {
  std::vector<weight_source::part> matrices, biases;
  for (const auto& layer : layers) {
    matrices.push_back({layer.name + ".weight", layer.rows});
    biases.push_back({layer.name + ".bias", layer.rows});
  }
  projection p{weights.load_joined(matrices, in), {}};
  if (has_bias) p.bias = weights.load_joined(biases, /*columns=*/0);
  return p;
}

class llama_block : public block {
 public:
  llama_block(const llama_config& config, const weight_source& weights, const std::string& prefix) : config_(config) {
    const auto C = config.sizes.hidden_size, I = config.intermediate_size;
    const auto q_size = config.num_attention_heads * config.sizes.head_dim;
    const auto kv_size = config.sizes.num_key_value_heads * config.sizes.head_dim;
    const auto self_attn = prefix + "self_attn.", mlp = prefix + "mlp.";
    input_layernorm_ = weights.load(prefix + "input_layernorm.weight", {C});
    qkv_proj_ = load_projection(
        weights, {{self_attn + "q_proj", q_size}, {self_attn + "k_proj", kv_size}, {self_attn + "v_proj", kv_size}}, C,
        config.attention_bias);
    o_proj_ = load_projection(weights, {{self_attn + "o_proj", C}}, q_size, config.attention_bias);
    post_attention_layernorm_ = weights.load(prefix + "post_attention_layernorm.weight", {C});
    gate_up_proj_ = load_projection(weights, {{mlp + "gate_proj", I}, {mlp + "up_proj", I}}, C, config.mlp_bias);
    down_proj_ = load_projection(weights, {{mlp + "down_proj", C}}, I, config.mlp_bias);
  }

  at::Tensor forward(const at::Tensor& hidden, const ragged_pass& pass, kv_cache& cache, int64_t index) const override {
    const auto attended =
        self_attn(rms_norm(hidden, input_layernorm_, config_.rms_norm_eps), pass, cache, index).add_(hidden);
    return mlp(rms_norm(attended, post_attention_layernorm_, config_.rms_norm_eps)).add_(attended);
  }

 private:
  at::Tensor self_attn(const at::Tensor& x, const ragged_pass& pass, kv_cache& cache, int64_t index) const {
    const auto H = config_.num_attention_heads, K = config_.sizes.num_key_value_heads, D = config_.sizes.head_dim;
    const auto qkv = apply(qkv_proj_, x).view({x.size(0), H + 2 * K, D});
    const auto qk = rotate(qkv.narrow(1, 0, H + K), pass.turn);
    const auto v = qkv.narrow(1, H + K, K);
    return apply(o_proj_, attend(qk.narrow(1, 0, H), qk.narrow(1, H, K), v, pass, cache, index));
  }

  at::Tensor mlp(const at::Tensor& x) const {
    const auto I = config_.intermediate_size;
    const auto gate_up = apply(gate_up_proj_, x);
    return apply(down_proj_, config_.hidden_act(gate_up.narrow(1, 0, I)).mul_(gate_up.narrow(1, I, I)));
  }

  const llama_config& config_;
  at::Tensor input_layernorm_, post_attention_layernorm_;
  projection qkv_proj_, o_proj_, gate_up_proj_, down_proj_;
};

class llama_outer_layers : public outer_layers {
 public:
  llama_outer_layers(const llama_config& config, const weight_source& weights)
      : rms_norm_eps_(config.rms_norm_eps),
        embed_tokens_(weights.load("embed_tokens.weight", {config.sizes.vocab_size, config.sizes.hidden_size})),
        lm_head_(
            config.tie_word_embeddings
                ? embed_tokens_
                : weights.load("lm_head.weight", {config.sizes.vocab_size, config.sizes.hidden_size})),
        norm_(weights.load("norm.weight", {config.sizes.hidden_size})) {}

  at::Tensor embed(const at::Tensor& ids) const override { return at::embedding(embed_tokens_, ids); }
  at::Tensor final_norm(const at::Tensor& hidden) const override { return rms_norm(hidden, norm_, rms_norm_eps_); }
  at::Tensor head(const at::Tensor& hidden) const override { return linear(hidden, lm_head_); }

 private:
  double rms_norm_eps_;
  at::Tensor embed_tokens_, lm_head_, norm_;
};

class llama : public family {
 public:
  explicit llama(llama_config config)
      : config_(std::move(config)),
        frequencies_(rope_frequencies(config_.sizes.head_dim, config_.rope_theta, config_.scaling)) {}

  const sizes& dims() const override { return config_.sizes; }

  uint32_t max_positions() const override {
    return static_cast<uint32_t>(
        std::min(config_.max_position_embeddings, config_.sliding_window.value_or(config_.max_position_embeddings)));
  }

  std::string refuse_length(uint32_t length) const override {
    if (length <= max_positions()) return {};
    const bool by_window = config_.sliding_window && *config_.sliding_window < config_.max_position_embeddings;
    return std::to_string(length) + " positions are more than the model's " +
           (by_window ? "sliding_window, " : "max_position_embeddings, ") + std::to_string(max_positions());
  }

  void prepare(ragged_pass& pass, c10::Device device) const override {
    auto* data = const_cast<float*>(frequencies_.data());  // libtorch has no read-only tensor
    const auto count = static_cast<int64_t>(frequencies_.size());
    const auto frequencies = at::from_blob(data, {count}, at::TensorOptions(at::kFloat)).to(device);
    pass.turn = rotation_at(positions_of(pass, device), frequencies);
    for (auto& part : pass.parts) {
      part.mask.is_causal = part.T > 1 && part.position == 0;
      if (part.T > 1 && part.position > 0) part.mask.added = causal_mask(part.T, part.S(), device);
    }
  }

  std::unique_ptr<block> load_block(const weight_source& weights, uint32_t index) const override {
    return std::make_unique<llama_block>(config_, weights, "layers." + std::to_string(index) + '.');
  }

  std::unique_ptr<outer_layers> load_outer(const weight_source& weights) const override {
    return std::make_unique<llama_outer_layers>(config_, weights);
  }

 private:
  llama_config config_;
  std::vector<float> frequencies_;
};

}  // namespace

std::unique_ptr<family> read_llama(const checkpoint& source) {
  return std::make_unique<llama>(read_config(source));
}

std::unique_ptr<family> read_mistral(const checkpoint& source) {
  constexpr int64_t window_of_the_first_release = 4096;
  auto config = read_config(source);
  const config_fields fields(source);
  if (!fields.is_null("sliding_window"))
    config.sliding_window = fields.size_or("sliding_window", window_of_the_first_release);
  return std::make_unique<llama>(std::move(config));
}

}  // namespace corolla::model
