#include "model/gguf_llama.hpp"

#include <charconv>
#include <cmath>
#include <cstring>
#include <numbers>
#include <span>
#include <string_view>
#include <utility>

#include "model/file_error.hpp"

namespace corolla::model {

namespace {

using nlohmann::json;
using name_pair = std::pair<std::string_view, std::string_view>;

/// Metadata with the errors of one file.
class metadata_view {
 public:
  metadata_view(const gguf_contents& contents, const std::string& label) : contents_(contents), label_(label) {}

  bool has(std::string_view key) const { return contents_.metadata.find(key) != contents_.metadata.end(); }
  /// Null if it is not there.
  json get(std::string_view key) const {
    const auto found = contents_.metadata.find(key);
    return found == contents_.metadata.end() ? json(nullptr) : decode(found->second);
  }
  /// A number that fits a positive int32, as all sizes do.
  int64_t size(const std::string& key) const {
    const auto value = get(key);
    if (value.is_null()) fail(label_, "has no metadata field " + key);
    if (!value.is_number_integer() || value < 1 || value > INT32_MAX)
      fail(label_, "metadata field " + key + " is no positive number" + (value.is_array() ? " for all blocks" : ""));
    return value.get<int64_t>();
  }
  int64_t size(const std::string& key, int64_t otherwise) const { return has(key) ? size(key) : otherwise; }
  double real(const std::string& key) const {
    const auto value = get(key);
    if (value.is_null()) fail(label_, "has no metadata field " + key);
    if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() <= 0)
      fail(label_, "metadata field " + key + " is no positive number");
    return value.get<double>();
  }
  double real(const std::string& key, double otherwise) const { return has(key) ? real(key) : otherwise; }
  std::string text(const std::string& key, const char* otherwise) const {
    const auto value = get(key);
    if (value.is_null()) return otherwise;
    if (!value.is_string()) fail(label_, "metadata field " + key + " is no text");
    return value.get<std::string>();
  }

 private:
  const gguf_contents& contents_;
  const std::string& label_;
};

constexpr name_pair outer_names[] = {{"token_embd", "embed_tokens"}, {"output_norm", "norm"}, {"output", "lm_head"}};
constexpr name_pair block_names[] = {
    {"attn_norm", "input_layernorm"}, {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},   {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},    {"ffn_up", "mlp.up_proj"},           {"ffn_down", "mlp.down_proj"},
};

std::string_view translate(std::string_view word, std::span<const name_pair> names) {
  for (const auto& [theirs, ours] : names)
    if (theirs == word) return ours;
  return {};
}

/// "blk.3.attn_q.weight" -> "layers.3.self_attn.q_proj.weight"; empty for a name that is not known.
std::string translate(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return {};
  const auto suffix = name.substr(dot);
  if (suffix != ".weight" && suffix != ".bias") return {};
  auto stem = name.substr(0, dot);
  std::string prefix;
  std::span<const name_pair> names = outer_names;
  if (stem.starts_with("blk.")) {
    stem.remove_prefix(4);
    uint32_t block = 0;
    const auto [stop, error] = std::from_chars(stem.data(), stem.data() + stem.size(), block);
    if (error != std::errc{} || stop == stem.data() + stem.size() || *stop != '.') return {};
    stem.remove_prefix(static_cast<size_t>(stop - stem.data()) + 1);
    prefix = "layers." + std::to_string(block) + '.';
    names = block_names;
  }
  const auto ours = translate(stem, names);
  return ours.empty() ? std::string() : prefix + std::string(ours) + std::string(suffix);
}

const gguf_tensor* find(const gguf_contents& contents, std::string_view name) {
  for (const auto& t : contents.tensors)
    if (t.name == name) return &t;
  return nullptr;
}

/// Llama 3's scaling reaches GGUF only as the factor of each frequency.  It is accepted where it is what the published
/// parameters give, and written in their words.
json llama3_scaling(const gguf_tensor& factors, int64_t head_dim, double theta, const std::string& label) {
  constexpr double low = 1, high = 4, original = 8192;
  const auto refuse = [&] { fail(label, "rope_freqs.weight holds factors that Llama 3's scaling does not give"); };
  if (factors.how != encoding::f32 || factors.dims != shape{head_dim / 2}) refuse();
  std::vector<float> given(static_cast<size_t>(head_dim / 2));
  std::memcpy(given.data(), factors.data.data(), factors.data.size());
  const double factor = given.empty() ? 0 : given.back();
  if (!(factor >= 1)) refuse();
  for (size_t i = 0; i < given.size(); ++i) {
    const auto wavelength =
        2 * std::numbers::pi * std::pow(theta, 2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    const auto smooth = (original / wavelength - low) / (high - low);
    const auto expected = smooth >= 1 ? 1 : smooth <= 0 ? factor : 1 / ((1 - smooth) / factor + smooth);
    if (!(std::abs(given[i] - expected) <= 1e-4 * expected)) refuse();
  }
  return {
      {"rope_type", "llama3"},
      {"factor", factor},
      {"low_freq_factor", low},
      {"high_freq_factor", high},
      {"original_max_position_embeddings", static_cast<int64_t>(original)}};
}

json rope_scaling(
    const gguf_contents& contents, const metadata_view& meta, int64_t head_dim, double theta,
    const std::string& label) {
  const auto type = meta.text("llama.rope.scaling.type", "none");
  const auto* factors = find(contents, "rope_freqs.weight");
  if (type == "none") return factors ? llama3_scaling(*factors, head_dim, theta, label) : json(nullptr);
  if (type != "linear" || factors)
    fail(label, "llama.rope.scaling.type is " + in_quotes(type) + "; linear and Llama 3's scaling are supported");
  return {{"rope_type", "linear"}, {"factor", meta.real("llama.rope.scaling.factor")}};
}

void add_token_ids(json& config, const metadata_view& meta) {
  for (const auto& [theirs, ours] :
       {name_pair{"tokenizer.ggml.bos_token_id", "bos_token_id"},
        name_pair{"tokenizer.ggml.eos_token_id", "eos_token_id"},
        name_pair{"tokenizer.ggml.padding_token_id", "pad_token_id"}})
    if (const auto id = meta.get(theirs); id.is_number_integer()) config[std::string(ours)] = id;
  // The end of a turn ends a text as well.
  const auto turn = meta.get("tokenizer.ggml.eot_token_id");
  if (turn.is_number_integer() && config.contains("eos_token_id") && config["eos_token_id"] != turn)
    config["eos_token_id"] = json::array({config["eos_token_id"], turn});
}

/// Heads whose rows llama.cpp's converter has permuted; 0 for other tensors.
int64_t permuted_heads(std::string_view name, const json& config) {
  if (name.find(".attn_q.") != std::string_view::npos) return config["num_attention_heads"].get<int64_t>();
  if (name.find(".attn_k.") != std::string_view::npos) return config["num_key_value_heads"].get<int64_t>();
  return 0;
}

}  // namespace

json llama_config(const gguf_contents& contents, const std::string& label) {
  const metadata_view meta(contents, label);
  if (const auto architecture = meta.text("general.architecture", ""); architecture != "llama")
    fail(label, "general.architecture is " + in_quotes(architecture) + "; llama is supported in GGUF");
  if (meta.has("llama.expert_count") && meta.get("llama.expert_count") != 0)
    fail(label, "llama.expert_count is not 0; models with experts are not supported in GGUF");
  const auto hidden = meta.size("llama.embedding_length"), heads = meta.size("llama.attention.head_count");
  const auto rotated = meta.size("llama.rope.dimension_count", hidden / heads);
  const auto head_dim = meta.size("llama.attention.key_length", rotated);
  if (rotated != head_dim || meta.size("llama.attention.value_length", head_dim) != head_dim)
    fail(label, "llama.rope.dimension_count, key_length and value_length differ; heads are rotated as a whole here");
  if (head_dim < 1) fail(label, "llama.attention.head_count is larger than llama.embedding_length");
  const auto* embedding = find(contents, "token_embd.weight");
  if (!embedding || embedding->dims.size() != 2) fail(label, "holds no matrix token_embd.weight");
  const auto theta = meta.real("llama.rope.freq_base", 10000);
  json config = {
      {"model_type", "llama"},
      {"architectures", {"LlamaForCausalLM"}},
      {"attention_bias", find(contents, "blk.0.attn_q.bias") != nullptr},
      {"head_dim", head_dim},
      {"hidden_act", "silu"},
      {"hidden_size", hidden},
      {"intermediate_size", meta.size("llama.feed_forward_length")},
      {"max_position_embeddings", meta.size("llama.context_length")},
      {"mlp_bias", false},
      {"num_attention_heads", heads},
      {"num_hidden_layers", meta.size("llama.block_count")},
      {"num_key_value_heads", meta.size("llama.attention.head_count_kv", heads)},
      {"rms_norm_eps", meta.real("llama.attention.layer_norm_rms_epsilon")},
      {"rope_scaling", rope_scaling(contents, meta, head_dim, theta, label)},
      {"rope_theta", theta},
      {"tie_word_embeddings", find(contents, "output.weight") == nullptr},
      {"vocab_size", embedding->dims[0]},
  };
  add_token_ids(config, meta);
  // As if it had been a file: nlohmann's parser and constructors differ in which integers are unsigned.
  return json::parse(config.dump());
}

std::vector<stored_tensor> llama_tensors(const gguf_contents& contents, const json& config, const std::string& label) {
  std::vector<stored_tensor> result;
  for (const auto& t : contents.tensors) {
    if (t.name == "rope_freqs.weight") continue;  // in the config
    const auto what = "tensor " + in_quotes(t.name);
    stored_tensor s;
    s.name = translate(t.name);
    if (s.name.empty()) fail(label, what + " is not known for the architecture llama");
    s.type = to_string(t.how);
    s.how = t.how;
    s.dims = t.dims;
    s.data = t.data;
    s.permuted_heads = permuted_heads(t.name, config);
    const bool whole_heads = s.permuted_heads == 0 || t.dims.front() % (2 * s.permuted_heads) == 0;
    if (!whole_heads || (s.permuted_heads > 0 && t.dims.size() == 1 && block_elements(t.how) != 1))
      fail(
          label, what + ", " + s.type + ' ' + to_string(t.dims) + ", has not the rows of " +
                     std::to_string(s.permuted_heads) + " heads");
    result.push_back(std::move(s));
  }
  return result;
}

}  // namespace corolla::model
