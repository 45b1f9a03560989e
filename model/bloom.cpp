#include "model/bloom.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include <ATen/ops/embedding.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/gelu.h>

#include "model/config_fields.hpp"
#include "model/linear.hpp"
#include "model/ops.hpp"

namespace corolla::model {

namespace {

struct bloom_config {
  family::sizes sizes;
  int64_t n_head;
  double layer_norm_epsilon;
  bool apply_residual_connection_post_layernorm;
  bool tie_word_embeddings;
};

bloom_config read_config(const checkpoint& source) {
  const config_fields fields(source);
  bloom_config c;
  c.n_head = fields.size({"n_head", "num_attention_heads"});
  const auto hidden_size = fields.size({"hidden_size", "n_embed"});
  if (hidden_size % c.n_head != 0)
    fields.refuse(
        "n_head", "(" + std::to_string(c.n_head) + ") does not divide hidden_size " + std::to_string(hidden_size));
  c.sizes = {num_blocks(source), hidden_size, fields.size({"vocab_size"}), c.n_head, hidden_size / c.n_head};
  c.layer_norm_epsilon = fields.positive_or("layer_norm_epsilon", 1e-5);
  c.apply_residual_connection_post_layernorm = fields.flag_or("apply_residual_connection_post_layernorm", false);
  c.tie_word_embeddings = fields.flag_or("tie_word_embeddings", true);
  return c;
}

/// Weight [out, in] and bias [out] of a linear layer, or weight [C] and bias [C] of a norm.
struct affine {
  at::Tensor weight, bias;
};

affine load_linear(const weight_source& weights, const std::string& name, int64_t out, int64_t in) {
  return {weights.load(name + ".weight", {out, in}), weights.load(name + ".bias", {out})};
}

affine load_norm(const weight_source& weights, const std::string& name, int64_t C) {
  return {weights.load(name + ".weight", {C}), weights.load(name + ".bias", {C})};
}

at::Tensor apply(const affine& w, const at::Tensor& x) {
  return linear(x, w.weight, w.bias);
}

class bloom_block : public block {
 public:
  bloom_block(const bloom_config& config, const weight_source& weights, const std::string& prefix)
      : config_(config),
        input_layernorm_(load_norm(weights, prefix + "input_layernorm", config.sizes.hidden_size)),
        query_key_value_(load_linear(
            weights, prefix + "self_attention.query_key_value", 3 * config.sizes.hidden_size,
            config.sizes.hidden_size)),
        dense_(
            load_linear(weights, prefix + "self_attention.dense", config.sizes.hidden_size, config.sizes.hidden_size)),
        post_attention_layernorm_(load_norm(weights, prefix + "post_attention_layernorm", config.sizes.hidden_size)),
        dense_h_to_4h_(
            load_linear(weights, prefix + "mlp.dense_h_to_4h", 4 * config.sizes.hidden_size, config.sizes.hidden_size)),
        dense_4h_to_h_(load_linear(
            weights, prefix + "mlp.dense_4h_to_h", config.sizes.hidden_size, 4 * config.sizes.hidden_size)) {}

  at::Tensor forward(const at::Tensor& hidden, const ragged_pass& pass, kv_cache& cache, int64_t index) const override {
    const auto normed = norm(hidden, input_layernorm_);
    const auto attended = attention(normed, pass, cache, index).add_(residual(hidden, normed));
    const auto normed_again = norm(attended, post_attention_layernorm_);
    return mlp(normed_again).add_(residual(attended, normed_again));
  }

 private:
  at::Tensor norm(const at::Tensor& x, const affine& w) const {
    return layer_norm(x, w.weight, w.bias, config_.layer_norm_epsilon);
  }

  const at::Tensor& residual(const at::Tensor& before, const at::Tensor& normed) const {
    return config_.apply_residual_connection_post_layernorm ? normed : before;
  }

  at::Tensor attention(const at::Tensor& x, const ragged_pass& pass, kv_cache& cache, int64_t index) const {
    const auto heads = apply(query_key_value_, x).view({x.size(0), config_.n_head, 3, config_.sizes.head_dim});
    return apply(dense_, attend(heads.select(2, 0), heads.select(2, 1), heads.select(2, 2), pass, cache, index));
  }

  at::Tensor mlp(const at::Tensor& x) const {
    return apply(dense_4h_to_h_, at::gelu(apply(dense_h_to_4h_, x), /*approximate=*/"tanh"));
  }

  const bloom_config& config_;
  affine input_layernorm_, query_key_value_, dense_, post_attention_layernorm_, dense_h_to_4h_, dense_4h_to_h_;
};

class bloom_outer_layers : public outer_layers {
 public:
  bloom_outer_layers(const bloom_config& config, const weight_source& weights)
      : epsilon_(config.layer_norm_epsilon),
        word_embeddings_(weights.load("word_embeddings.weight", {config.sizes.vocab_size, config.sizes.hidden_size})),
        lm_head_(
            config.tie_word_embeddings
                ? word_embeddings_
                : weights.load("lm_head.weight", {config.sizes.vocab_size, config.sizes.hidden_size})),
        word_embeddings_layernorm_(load_norm(weights, "word_embeddings_layernorm", config.sizes.hidden_size)),
        ln_f_(load_norm(weights, "ln_f", config.sizes.hidden_size)) {}

  at::Tensor embed(const at::Tensor& ids) const override {
    const auto& w = word_embeddings_layernorm_;
    return layer_norm(at::embedding(word_embeddings_, ids), w.weight, w.bias, epsilon_);
  }

  at::Tensor final_norm(const at::Tensor& hidden) const override {
    return layer_norm(hidden, ln_f_.weight, ln_f_.bias, epsilon_);
  }

  at::Tensor head(const at::Tensor& hidden) const override { return linear(hidden, lm_head_); }

 private:
  double epsilon_;
  at::Tensor word_embeddings_, lm_head_;
  affine word_embeddings_layernorm_, ln_f_;
};

class bloom : public family {
 public:
  explicit bloom(const checkpoint& source) : config_(read_config(source)), slopes_(alibi_slopes(config_.n_head)) {}

  const sizes& dims() const override { return config_.sizes; }
  uint32_t max_positions() const override { return std::numeric_limits<uint32_t>::max(); }
  std::string refuse_length(uint32_t) const override { return {}; }

  void prepare(ragged_pass& pass, c10::Device device) const override {
    auto* data = const_cast<float*>(slopes_.data());  // libtorch has no read-only tensor
    const auto slopes = at::from_blob(data, {config_.n_head}, at::TensorOptions(at::kFloat)).to(device);
    for (auto& part : pass.parts) part.mask.added = alibi_mask(slopes, part.T, part.S());
  }

  std::unique_ptr<block> load_block(const weight_source& weights, uint32_t index) const override {
    return std::make_unique<bloom_block>(config_, weights, "h." + std::to_string(index) + '.');
  }

  std::unique_ptr<outer_layers> load_outer(const weight_source& weights) const override {
    return std::make_unique<bloom_outer_layers>(config_, weights);
  }

 private:
  bloom_config config_;
  std::vector<float> slopes_;
};

}  // namespace

std::unique_ptr<family> read_bloom(const checkpoint& source) {
  return std::make_unique<bloom>(source);
}

}  // namespace corolla::model
