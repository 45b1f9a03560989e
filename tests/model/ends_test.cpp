// What a client holds, and how configs that are wrong are refused.
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "local_model.hpp"
#include "memory_checkpoint.hpp"

namespace corolla::tests {

namespace {

using model::tensor;

const nlohmann::json llama_config = {
    {"model_type", "llama"},         {"hidden_size", 16},        {"intermediate_size", 24}, {"num_hidden_layers", 1},
    {"num_attention_heads", 4},      {"num_key_value_heads", 2}, {"head_dim", 4},           {"vocab_size", 20},
    {"max_position_embeddings", 40}, {"rms_norm_eps", 1e-5},     {"rope_theta", 10000.0}};

/// What loading everything says.
std::string refusal_of(const model::checkpoint& source) {
  try {
    local_model::load(source);
  } catch (const std::exception& e) {
    return e.what();
  }
  return "loaded";
}

/// What loading says when a good model's config is changed (a null removes the field).
std::string refusal_with(const nlohmann::json& changes) {
  auto source = made_up_llama(llama_config);
  auto config = llama_config;
  config.merge_patch(changes);
  source.set_config(config);
  return refusal_of(source);
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<int64_t> eos_ids_with(const nlohmann::json& config_id, const nlohmann::json& generation_config) {
  auto source = made_up_llama(llama_config);
  auto config = llama_config;
  config["eos_token_id"] = config_id;
  source.set_config(config);
  source.set_generation_config(generation_config);
  return model::ends::load(source, {})->eos_ids();
}

}  // namespace

BOOST_AUTO_TEST_CASE(ends_know_the_model) {
  const auto ends = model::ends::load(made_up_llama(llama_config), {});
  BOOST_TEST(ends->hidden_size() == 16);
  BOOST_TEST(ends->vocab_size() == 20);
  BOOST_TEST(ends->num_blocks() == 1u);
  BOOST_TEST(ends->max_positions() == 40u);
}

BOOST_AUTO_TEST_CASE(ids_outside_the_vocabulary_are_refused) {
  const auto ends = model::ends::load(made_up_llama(llama_config), {});
  BOOST_CHECK_THROW(ends->embed(ids_of({{0, 20}})), std::invalid_argument);
  BOOST_CHECK_THROW(ends->embed(ids_of({{-1}})), std::invalid_argument);
  BOOST_CHECK_THROW(ends->embed(ids_of({{1}}).reshaped({1})), std::invalid_argument);
  BOOST_TEST(ends->embed(ids_of({{0, 19}})).dims() == (model::shape{1, 2, 16}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(hidden_states_of_another_shape_are_refused) {
  const auto ends = model::ends::load(made_up_llama(llama_config), {});
  BOOST_CHECK_THROW(ends->logits(tensor::of<float>({1, 2, 8}, std::vector<float>(16))), std::invalid_argument);
  BOOST_CHECK_THROW(ends->final_norm(tensor::of<float>({16}, std::vector<float>(16))), std::invalid_argument);
  BOOST_CHECK_THROW(ends->logits(ids_of({std::vector<int64_t>(16)}).reshaped({1, 1, 16})), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(logits_are_float32_whatever_computes) {
  const auto ends = model::ends::load(made_up_llama(llama_config), {model::dtype::bfloat16, "cpu"});
  const auto hidden = ends->embed(ids_of({{1, 2}, {3, 4}}));
  BOOST_TEST(bool(hidden.type() == model::dtype::bfloat16));
  const auto logits = ends->logits(hidden);
  BOOST_TEST(bool(logits.type() == model::dtype::float32));
  BOOST_TEST(logits.dims() == (model::shape{2, 2, 20}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(end_of_text_ids_come_from_generation_config_first) {
  BOOST_TEST(eos_ids_with(7, nullptr) == (std::vector<int64_t>{7}), boost::test_tools::per_element());
  BOOST_TEST(eos_ids_with({7, 8}, nullptr) == (std::vector<int64_t>{7, 8}), boost::test_tools::per_element());
  BOOST_TEST(
      eos_ids_with(7, {{"eos_token_id", {5, 6}}}) == (std::vector<int64_t>{5, 6}), boost::test_tools::per_element());
  BOOST_TEST(
      eos_ids_with(7, {{"eos_token_id", nullptr}}) == (std::vector<int64_t>{7}), boost::test_tools::per_element());
  BOOST_TEST(eos_ids_with(nullptr, nullptr).empty());
  BOOST_CHECK_THROW(eos_ids_with("</s>", nullptr), model::checkpoint_error);
}

BOOST_AUTO_TEST_CASE(a_config_field_that_is_missing_or_wrong_is_named_with_its_file) {
  BOOST_TEST(refusal_with(nlohmann::json::object()) == "loaded");
  BOOST_TEST(refusal_with({{"hidden_size", nullptr}}) == "made-up: config field 'hidden_size' is missing");
  BOOST_TEST(refusal_with({{"hidden_size", "16"}}) == "made-up: config field 'hidden_size' is no integer");
  BOOST_TEST(refusal_with({{"hidden_size", 16.5}}) == "made-up: config field 'hidden_size' is no integer");
  BOOST_TEST(holds(refusal_with({{"hidden_size", 0}}), "'hidden_size' is not between 1 and"));
  BOOST_TEST(holds(refusal_with({{"hidden_size", -3}}), "'hidden_size' is not between 1 and"));
  BOOST_TEST(holds(refusal_with({{"vocab_size", 18446744073709551615u}}), "'vocab_size' is not between 1 and"));
  BOOST_TEST(holds(refusal_with({{"num_key_value_heads", 3}}), "'num_key_value_heads' (3) does not divide"));
  BOOST_TEST(holds(refusal_with({{"head_dim", 3}}), "'head_dim' (3) is odd"));
  BOOST_TEST(holds(
      refusal_with({{"head_dim", nullptr}, {"num_attention_heads", 6}}), "'num_attention_heads' (6) does not divide"));
  BOOST_TEST(holds(refusal_with({{"rms_norm_eps", "small"}}), "'rms_norm_eps' is no number"));
  BOOST_TEST(holds(refusal_with({{"rope_theta", -1.0}}), "'rope_theta' is not a positive number"));
  BOOST_TEST(holds(refusal_with({{"attention_bias", 1}}), "'attention_bias' is neither true nor false"));
  BOOST_TEST(holds(refusal_with({{"hidden_act", "mish"}}), "'hidden_act' is 'mish'; known are silu"));
  BOOST_TEST(holds(
      refusal_with({{"rope_scaling", {{"type", "yarn"}, {"factor", 4.0}}}}),
      "is 'yarn'; known are default, linear, llama3"));
  BOOST_TEST(holds(refusal_with({{"rope_scaling", {{"type", "linear"}}}}), "'rope_scaling.factor' is missing"));
  BOOST_TEST(holds(refusal_with({{"rope_scaling", 4}}), "'rope_scaling' is no object"));
  BOOST_TEST(holds(refusal_with({{"model_type", nullptr}}), "'model_type' is missing"));
  BOOST_TEST(
      holds(refusal_with({{"model_type", "qwen2"}}), "'model_type' is 'qwen2'; known are bloom, llama, mistral"));
}

BOOST_AUTO_TEST_CASE(a_tensor_that_contradicts_the_config_is_named_with_both_shapes) {
  BOOST_TEST(
      refusal_with({{"intermediate_size", 32}}) ==
      "made-up: tensor layers.0.mlp.gate_proj.weight has shape [24, 16], but the config asks for [32, 16]");
  BOOST_TEST(holds(
      refusal_with({{"vocab_size", 21}}), "embed_tokens.weight has shape [20, 16], but the config asks for [21, 16]"));
  BOOST_TEST(holds(refusal_with({{"num_hidden_layers", 2}}), "tensor layers.1.input_layernorm.weight is missing"));
  BOOST_TEST(holds(refusal_with({{"attention_bias", true}}), "tensor layers.0.self_attn.q_proj.bias is missing"));
  auto source = made_up_llama(llama_config);
  source.remove("lm_head.weight");
  BOOST_TEST(refusal_of(source) == "made-up: tensor lm_head.weight is missing");
}

BOOST_AUTO_TEST_CASE(a_mistral_refuses_sequences_beyond_its_sliding_window) {
  const auto load = [](const nlohmann::json& window) {
    auto source = made_up_llama(llama_config);
    auto config = llama_config;
    config["model_type"] = "mistral";
    if (!window.is_discarded()) config["sliding_window"] = window;
    source.set_config(config);
    return model::span::load(source, {0, 1}, {});
  };
  const auto windowed = load(30);
  BOOST_TEST(windowed->max_positions() == 30u);
  BOOST_TEST(windowed->reserve({0, 1}, 1, 30).has_value());
  BOOST_CHECK_EXCEPTION(windowed->reserve({0, 1}, 1, 31), std::invalid_argument, [](const auto& e) {
    return holds(e.what(), "31 positions are more than the model's sliding_window, 30");
  });
  BOOST_TEST(load(nullptr)->reserve({0, 1}, 1, 40).has_value());
  BOOST_TEST(load(64)->reserve({0, 1}, 1, 40).has_value());
  // A config that does not say has the first release's window, 4096: more than this model's positions.
  BOOST_TEST(load(nlohmann::json(nlohmann::json::value_t::discarded))->max_positions() == 40u);
}

}  // namespace corolla::tests
