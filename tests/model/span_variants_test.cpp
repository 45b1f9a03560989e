// Shapes and settings that no golden file has, against the families written once more in double precision.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "local_model.hpp"
#include "memory_checkpoint.hpp"
#include "naive_model.hpp"

namespace corolla::tests {

namespace {

namespace data = boost::unit_test::data;
using model::tensor;

/// A made-up model and its naive double.
struct variant {
  std::string name;
  nlohmann::json config;
};

std::ostream& operator<<(std::ostream& out, const variant& v) {
  return out << v.name;
}

nlohmann::json llama_config(const nlohmann::json& changes = nlohmann::json::object()) {
  nlohmann::json config = {{"model_type", "llama"},  {"hidden_size", 24},        {"intermediate_size", 20},
                           {"num_hidden_layers", 2}, {"num_attention_heads", 4}, {"num_key_value_heads", 2},
                           {"head_dim", 6},          {"vocab_size", 31},         {"max_position_embeddings", 64},
                           {"rms_norm_eps", 1e-5},   {"rope_theta", 10000.0}};
  config.update(changes);
  return config;
}

nlohmann::json bloom_config(const nlohmann::json& changes = nlohmann::json::object()) {
  nlohmann::json config = {{"model_type", "bloom"}, {"hidden_size", 24}, {"n_head", 4},
                           {"n_layer", 2},          {"vocab_size", 31},  {"layer_norm_epsilon", 1e-5}};
  config.update(changes);
  return config;
}

const std::vector<variant> variants = {
    {"plain llama", llama_config()},
    {"one key/value head for five, head size not hidden / heads",
     llama_config({{"num_attention_heads", 5}, {"num_key_value_heads", 1}, {"head_dim", 14}})},
    {"a key/value head for each head",
     llama_config({{"num_attention_heads", 3}, {"num_key_value_heads", 3}, {"head_dim", 2}})},
    {"biases in attention and MLP", llama_config({{"attention_bias", true}, {"mlp_bias", true}})},
    {"linear rope scaling", llama_config({{"rope_scaling", {{"type", "linear"}, {"factor", 2.5}}}})},
    {"tied head, tanh gelu, another rope_theta",
     llama_config({{"tie_word_embeddings", true}, {"hidden_act", "gelu_pytorch_tanh"}, {"rope_theta", 500.0}})},
    {"sizes that are no multiple of a vector",
     llama_config(
         {{"hidden_size", 37}, {"intermediate_size", 29}, {"num_attention_heads", 9}, {"num_key_value_heads", 3}})},
    {"a hidden size that is summed in two pieces", llama_config({{"hidden_size", 801}, {"num_hidden_layers", 1}})},
    {"mistral", llama_config({{"model_type", "mistral"}, {"sliding_window", 64}})},
    {"plain bloom", bloom_config()},
    {"bloom of six heads, residual from the norm",
     bloom_config({{"hidden_size", 30}, {"n_head", 6}, {"apply_residual_connection_post_layernorm", true}})},
    {"bloom of seven heads", bloom_config({{"hidden_size", 35}, {"n_head", 7}})},
    {"bloom of one head", bloom_config({{"hidden_size", 10}, {"n_head", 1}})},
};

struct pair_of_models {
  explicit pair_of_models(const nlohmann::json& config)
      : is_bloom(config.at("model_type") == "bloom"),
        source(is_bloom ? made_up_bloom(config) : made_up_llama(config)) {}

  naive_rows embed(const std::vector<int64_t>& ids) const {
    return is_bloom ? naive_bloom_embed(source, ids) : naive_llama_embed(source, ids);
  }
  naive_rows run_blocks(naive_rows hidden) const {
    for (uint32_t i = 0; i < model::num_blocks(source); ++i)
      hidden = is_bloom ? naive_bloom_block(source, int(i), hidden) : naive_llama_block(source, int(i), hidden);
    return hidden;
  }
  naive_rows logits(const naive_rows& hidden) const {
    return is_bloom ? naive_bloom_logits(source, hidden) : naive_llama_logits(source, hidden);
  }

  bool is_bloom;
  memory_checkpoint source;
};

naive_row flat(const naive_rows& rows) {
  naive_row result;
  for (const auto& row : rows) result.insert(result.end(), row.begin(), row.end());
  return result;
}

bool is_near(const tensor& found, const naive_rows& expected) {
  return largest_difference(found, flat(expected)) <= 2e-5 * (1 + largest(found));
}

const std::vector<std::vector<int64_t>> prompts = {
    {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5}, {8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2}, {6, 4, 3, 3, 8, 3, 2, 7, 9, 5, 0}};

}  // namespace

BOOST_DATA_TEST_CASE(a_variant_agrees_with_its_naive_double_in_chunks_of_any_size, data::make(variants), v) {
  const pair_of_models models(v.config);
  auto m = local_model::load(
      models.source, model::num_blocks(models.source) > 1 ? std::vector{1u} : std::vector<uint32_t>{});
  const auto naive_embedded = models.embed(prompts[0]);
  const auto naive_output = models.run_blocks(naive_embedded);
  const auto embedded = m.ends->embed(ids_of({prompts[0]}));
  BOOST_TEST(is_near(embedded, naive_embedded));
  for (const int64_t chunk : {1, 2, 5, 11}) {
    BOOST_TEST_CONTEXT("chunks of " << chunk) {
      local_session session(m, 1, 11);
      const auto output = session.run_in_chunks(embedded, chunk);
      BOOST_TEST(is_near(output, naive_output));
      BOOST_TEST(is_near(m.ends->logits(output), models.logits(naive_output)));
    }
  }
}

BOOST_DATA_TEST_CASE(rows_of_a_batch_agree_with_their_naive_doubles, data::make(variants), v) {
  const pair_of_models models(v.config);
  auto m = local_model::load(models.source);
  for (const int64_t chunk : {1, 4}) {
    local_session session(m, static_cast<uint32_t>(prompts.size()), 11);
    const auto output = session.run_in_chunks(m.ends->embed(ids_of(prompts)), chunk);
    for (size_t b = 0; b < prompts.size(); ++b) {
      const auto row = static_cast<int64_t>(b);
      BOOST_TEST(is_near(output.slice(0, row, row + 1), models.run_blocks(models.embed(prompts[b]))));
    }
  }
}

BOOST_AUTO_TEST_CASE(both_styles_of_rope_config_give_the_same_model) {
  const auto old_style =
      llama_config({{"rope_theta", 500.0}, {"rope_scaling", {{"rope_type", "linear"}, {"factor", 4.0}}}});
  auto new_style =
      llama_config({{"rope_parameters", {{"rope_type", "linear"}, {"factor", 4.0}, {"rope_theta", 500.0}}}});
  new_style.erase("rope_theta");
  std::vector<tensor> outputs;
  for (const auto& config : {old_style, new_style, llama_config({{"rope_theta", 500.0}})}) {
    auto m = local_model::load(made_up_llama(config));
    outputs.push_back(local_session(m, 1, 11).run(m.ends->embed(ids_of({prompts[0]}))));
  }
  BOOST_TEST(largest_difference(outputs[0], outputs[1].as<float>()) == 0);
  BOOST_TEST(largest_difference(outputs[0], outputs[2].as<float>()) > 1e-3);
}

BOOST_AUTO_TEST_CASE(bloom_takes_the_newer_names_of_its_sizes) {
  const auto config = bloom_config();
  auto renamed = config;
  renamed.erase("n_head");
  renamed.erase("n_layer");
  renamed.erase("hidden_size");
  renamed.update({{"num_attention_heads", 4}, {"num_hidden_layers", 2}, {"n_embed", 24}});
  auto source = made_up_bloom(config);
  auto expected = local_model::load(source);
  source.set_config(renamed);
  auto found = local_model::load(source);
  const auto embedded = expected.ends->embed(ids_of({prompts[0]}));
  BOOST_TEST(
      largest_difference(
          local_session(expected, 1, 11).run(embedded), local_session(found, 1, 11).run(embedded).as<float>()) == 0);
}

}  // namespace corolla::tests
