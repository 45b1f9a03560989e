// A model made up in memory, with seeded random weights: shapes and settings that no golden file has.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/checkpoint.hpp"

namespace corolla::tests {

class memory_checkpoint final : public model::checkpoint {
 public:
  memory_checkpoint(const nlohmann::json& config, uint64_t seed) : random_(seed) { set_config(config); }

  /// Values around `mean`.
  void add(const std::string& name, model::shape dims, double mean, double deviation) {
    std::normal_distribution<float> values(static_cast<float>(mean), static_cast<float>(deviation));
    std::vector<float> data(static_cast<size_t>(model::num_elements(dims).value()));
    for (auto& x : data) x = values(random_);
    put(name, model::tensor::of<float>(std::move(dims), data));
  }
  void add_matrix(const std::string& name, int64_t out, int64_t in) {
    add(name, {out, in}, 0, 1 / std::sqrt(double(in)));
  }
  void add_norm(const std::string& name, int64_t size) { add(name, {size}, 1, 0.2); }
  void add_bias(const std::string& name, int64_t size) { add(name, {size}, 0, 0.1); }

  void put(const std::string& name, model::tensor value) {
    if (tensors_.insert_or_assign(name, std::move(value)).second) names_.push_back(name);
    std::sort(names_.begin(), names_.end());
  }
  void remove(const std::string& name) {
    tensors_.erase(name);
    names_.erase(std::find(names_.begin(), names_.end(), name));
  }
  /// As a file's text gives it: its whole numbers are unsigned.
  void set_config(const nlohmann::json& config) { config_ = nlohmann::json::parse(config.dump()); }
  void set_generation_config(const nlohmann::json& config) { generation_config_ = config; }

  const std::string& name() const override { return name_; }
  const std::filesystem::path& path() const override { return path_; }
  const nlohmann::json& config() const override { return config_; }
  const nlohmann::json& generation_config() const override { return generation_config_; }
  model::tokenizer_source tokenizer() const override { return {}; }
  const std::vector<std::string>& tensor_names() const override { return names_; }
  bool has(std::string_view tensor_name) const override { return tensors_.contains(std::string(tensor_name)); }
  const model::shape& dims(std::string_view tensor_name) const override { return find(tensor_name).dims(); }
  model::dtype type(std::string_view tensor_name) const override { return find(tensor_name).type(); }
  model::tensor load(std::string_view tensor_name, model::dtype as) const override { return find(tensor_name).to(as); }
  model::model_digests digests(const std::function<void(uint64_t, uint64_t)>&) const override {
    throw std::logic_error("a model in memory has no digests");
  }

 private:
  const model::tensor& find(std::string_view tensor_name) const {
    const auto found = tensors_.find(std::string(tensor_name));
    if (found == tensors_.end()) throw model::checkpoint_error("made up: no tensor " + std::string(tensor_name));
    return found->second;
  }

  nlohmann::json config_, generation_config_;
  std::string name_ = "made-up";
  std::filesystem::path path_ = "made-up";
  std::mt19937_64 random_;
  std::map<std::string, model::tensor> tensors_;
  std::vector<std::string> names_;
};

/// A llama with every weight that its config asks for.
inline memory_checkpoint made_up_llama(const nlohmann::json& config, uint64_t seed = 1) {
  memory_checkpoint c(config, seed);
  const int64_t C = config.at("hidden_size"), H = config.at("num_attention_heads"),
                K = config.at("num_key_value_heads");
  const int64_t D = config.at("head_dim"), I = config.at("intermediate_size"), V = config.at("vocab_size");
  c.add("embed_tokens.weight", {V, C}, 0, 1);
  c.add_norm("norm.weight", C);
  if (!config.value("tie_word_embeddings", false)) c.add_matrix("lm_head.weight", V, C);
  for (int i = 0; i < config.at("num_hidden_layers").get<int>(); ++i) {
    const auto layer = "layers." + std::to_string(i) + '.';
    c.add_norm(layer + "input_layernorm.weight", C);
    c.add_norm(layer + "post_attention_layernorm.weight", C);
    const std::tuple<const char*, int64_t, int64_t, const char*> linears[] = {
        {"self_attn.q_proj", H * D, C, "attention_bias"},
        {"self_attn.k_proj", K * D, C, "attention_bias"},
        {"self_attn.v_proj", K * D, C, "attention_bias"},
        {"self_attn.o_proj", C, H * D, "attention_bias"},
        {"mlp.gate_proj", I, C, "mlp_bias"},
        {"mlp.up_proj", I, C, "mlp_bias"},
        {"mlp.down_proj", C, I, "mlp_bias"},
    };
    for (const auto& [name, out, in, bias] : linears) {
      c.add_matrix(layer + name + ".weight", out, in);
      if (config.value(bias, false)) c.add_bias(layer + name + ".bias", out);
    }
  }
  return c;
}

inline memory_checkpoint made_up_bloom(const nlohmann::json& config, uint64_t seed = 1) {
  memory_checkpoint c(config, seed);
  const int64_t C = config.at("hidden_size"), V = config.at("vocab_size");
  c.add("word_embeddings.weight", {V, C}, 0, 1);
  for (const auto* norm : {"word_embeddings_layernorm", "ln_f"}) {
    c.add_norm(std::string(norm) + ".weight", C);
    c.add_bias(std::string(norm) + ".bias", C);
  }
  for (int i = 0; i < config.at("n_layer").get<int>(); ++i) {
    const auto layer = "h." + std::to_string(i) + '.';
    for (const auto* norm : {"input_layernorm", "post_attention_layernorm"}) {
      c.add_norm(layer + norm + ".weight", C);
      c.add_bias(layer + norm + ".bias", C);
    }
    const std::tuple<const char*, int64_t, int64_t> linears[] = {
        {"self_attention.query_key_value", 3 * C, C},
        {"self_attention.dense", C, C},
        {"mlp.dense_h_to_4h", 4 * C, C},
        {"mlp.dense_4h_to_h", C, 4 * C},
    };
    for (const auto& [name, out, in] : linears) {
      c.add_matrix(layer + name + ".weight", out, in);
      c.add_bias(layer + name + ".bias", out);
    }
  }
  return c;
}

}  // namespace corolla::tests
