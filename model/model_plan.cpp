#include "model/model_plan.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "model/make_model.hpp"

namespace corolla::model {

namespace {

constexpr std::string_view bloom_560m = "bloom-560m", tinyllama = "tinyllama-1.1b";

/// Chosen so that attention and MLP change what the next block sees, and the best logit stands out from the second.
constexpr float linear_gain = 1.5f, head_gain = 2.5f;

class tensor_list {
 public:
  /// [out, in] with values that keep the size of what they multiply, times `gain`.
  void matrix(const std::string& name, int64_t out, int64_t in, float gain = linear_gain) {
    tensors_.push_back({name + ".weight", {out, in}, 0, gain / std::sqrt(static_cast<float>(in))});
  }
  /// Near 1, and visibly not 1.
  void norm(const std::string& name, int64_t size) { tensors_.push_back({name + ".weight", {size}, 1, 0.1f}); }
  void bias(const std::string& name, int64_t size) { tensors_.push_back({name + ".bias", {size}, 0, 0.05f}); }

  std::vector<planned_tensor> sorted() && {
    std::sort(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return std::move(tensors_);
  }

 private:
  std::vector<planned_tensor> tensors_;
};

model_plan plan_bloom(bool small) {
  const int64_t blocks = 24, C = small ? 64 : 1024, heads = small ? 4 : 16;
  model_plan plan;
  plan.type = dtype::float32;
  plan.vocab_size = small ? 512 : 250'880;
  plan.special_tokens = {"<unk>", "<s>", "</s>", "<pad>"};
  plan.config = {
      {"architectures", {"BloomForCausalLM"}},
      {"model_type", "bloom"},
      {"hidden_size", C},
      {"n_layer", blocks},
      {"n_head", heads},
      {"vocab_size", plan.vocab_size},
      {"layer_norm_epsilon", 1e-5},
      {"apply_residual_connection_post_layernorm", false},
      {"slow_but_exact", false},
      {"pretraining_tp", 1},
      {"hidden_dropout", 0.0},
      {"attention_dropout", 0.0},
      {"tie_word_embeddings", true},
      {"unk_token_id", 0},
      {"bos_token_id", 1},
      {"eos_token_id", 2},
      {"pad_token_id", 3},
      {"torch_dtype", "float32"}};
  plan.generation_config = {{"bos_token_id", 1}, {"eos_token_id", 2}, {"pad_token_id", 3}};
  tensor_list list;
  const auto layer_norm = [&](const std::string& name) { list.norm(name, C), list.bias(name, C); };
  const auto linear = [&](const std::string& name, int64_t out, int64_t in) {
    list.matrix(name, out, in), list.bias(name, out);
  };
  // The embedding is also the head; a norm follows it, so that its size matters to the head alone.
  list.matrix("word_embeddings", plan.vocab_size, C, head_gain);
  layer_norm("word_embeddings_layernorm");
  layer_norm("ln_f");
  for (int64_t i = 0; i < blocks; ++i) {
    const auto block = "h." + std::to_string(i) + '.';
    layer_norm(block + "input_layernorm");
    linear(block + "self_attention.query_key_value", 3 * C, C);
    linear(block + "self_attention.dense", C, C);
    layer_norm(block + "post_attention_layernorm");
    linear(block + "mlp.dense_h_to_4h", 4 * C, C);
    linear(block + "mlp.dense_4h_to_h", C, 4 * C);
  }
  plan.tensors = std::move(list).sorted();
  return plan;
}

model_plan plan_tinyllama(bool small) {
  const int64_t blocks = 22, C = small ? 64 : 2048, heads = small ? 4 : 32, kv_heads = small ? 2 : 4;
  const int64_t mlp = small ? 176 : 5632, D = C / heads;
  model_plan plan;
  plan.type = dtype::bfloat16;
  plan.vocab_size = small ? 512 : 32'000;
  plan.special_tokens = {"<unk>", "<s>", "</s>"};
  plan.config = {
      {"architectures", {"LlamaForCausalLM"}},
      {"model_type", "llama"},
      {"hidden_size", C},
      {"intermediate_size", mlp},
      {"num_hidden_layers", blocks},
      {"num_attention_heads", heads},
      {"num_key_value_heads", kv_heads},
      {"vocab_size", plan.vocab_size},
      {"max_position_embeddings", 2048},
      {"rms_norm_eps", 1e-5},
      {"rope_theta", 10000.0},
      {"rope_scaling", nullptr},
      {"hidden_act", "silu"},
      {"attention_bias", false},
      {"pretraining_tp", 1},
      {"tie_word_embeddings", false},
      {"bos_token_id", 1},
      {"eos_token_id", 2},
      {"torch_dtype", "bfloat16"}};
  plan.generation_config = {{"bos_token_id", 1}, {"eos_token_id", 2}, {"max_length", 2048}, {"pad_token_id", 0}};
  tensor_list list;
  // No norm follows the embedding: values of size 1 are what the blocks add to.
  list.matrix("model.embed_tokens", plan.vocab_size, C, std::sqrt(static_cast<float>(C)));
  list.matrix("lm_head", plan.vocab_size, C, head_gain);
  list.norm("model.norm", C);
  for (int64_t i = 0; i < blocks; ++i) {
    const auto block = "model.layers." + std::to_string(i) + '.';
    list.norm(block + "input_layernorm", C);
    list.matrix(block + "self_attn.q_proj", C, C);
    list.matrix(block + "self_attn.k_proj", kv_heads * D, C);
    list.matrix(block + "self_attn.v_proj", kv_heads * D, C);
    list.matrix(block + "self_attn.o_proj", C, C);
    list.norm(block + "post_attention_layernorm", C);
    list.matrix(block + "mlp.gate_proj", mlp, C);
    list.matrix(block + "mlp.up_proj", mlp, C);
    list.matrix(block + "mlp.down_proj", C, mlp);
  }
  plan.tensors = std::move(list).sorted();
  return plan;
}

}  // namespace

std::span<const std::string_view> model_shapes() {
  static constexpr std::string_view shapes[] = {bloom_560m, tinyllama};
  return shapes;
}

model_plan plan_model(std::string_view shape_name, bool small) {
  if (shape_name == bloom_560m) return plan_bloom(small);
  if (shape_name == tinyllama) return plan_tinyllama(small);
  std::string known;
  for (const auto s : model_shapes()) known += (known.empty() ? "" : ", ") + std::string(s);
  throw std::invalid_argument("no model shape is called '" + std::string(shape_name) + "'; there are " + known);
}

}  // namespace corolla::model
