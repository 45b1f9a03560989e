#include "model/gguf_llama.hpp"

#include <cmath>
#include <numbers>

#include <boost/test/unit_test.hpp>

#include "model/checkpoint.hpp"
#include "tests/model/bytes.hpp"
#include "tests/model/gguf_writer.hpp"
#include "tests/support/temp_dir.hpp"

using namespace corolla::model;
using namespace corolla::tests;

namespace {

/// 2 heads of size 4, 1 key/value head, hidden size 8, 3 tokens.
gguf_writer llama() {
  gguf_writer w;
  add_llama_fields(w, /*heads=*/2, /*kv_heads=*/1);
  w.floats("token_embd.weight", {8, 3}, std::vector<float>(24, 0.5f));
  return w;
}

std::shared_ptr<const checkpoint> open(const temp_dir& dir, const gguf_writer& w) {
  return checkpoint::open(dir.write("model.gguf", w.bytes()));
}

/// Rows of `columns` elements, each holding its number.
std::vector<float> numbered_rows(const std::vector<float>& numbers, size_t columns) {
  std::vector<float> values;
  for (const auto n : numbers) values.insert(values.end(), columns, n);
  return values;
}

std::vector<float> first_column(const tensor& t) {
  std::vector<float> values;
  for (int64_t i = 0; i < t.dim(0); ++i) values.push_back(t.slice(0, i, i + 1).as<float>()[0]);
  return values;
}

}  // namespace

BOOST_AUTO_TEST_CASE(metadata_becomes_a_config_in_hugging_faces_words) {
  temp_dir dir;
  auto w = llama();
  w.real("llama.rope.freq_base", 1e5f);
  w.u32("tokenizer.ggml.bos_token_id", 1);
  w.u32("tokenizer.ggml.eos_token_id", 2);
  w.texts("tokenizer.ggml.tokens", {"a", "b", "c"});
  w.text("tokenizer.chat_template", "{{ x }}");
  const auto c = open(dir, w);
  const auto expected = nlohmann::json::parse(R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false,
    "bos_token_id": 1, "eos_token_id": 2, "head_dim": 4, "hidden_act": "silu", "hidden_size": 8, "intermediate_size": 8,
    "max_position_embeddings": 128, "mlp_bias": false, "model_type": "llama", "num_attention_heads": 2,
    "num_hidden_layers": 1, "num_key_value_heads": 1, "rms_norm_eps": 1e-05, "rope_scaling": null,
    "rope_theta": 100000.0, "tie_word_embeddings": true, "vocab_size": 3})");
  BOOST_TEST(c->config() == expected, c->config().dump());
  BOOST_TEST(num_blocks(*c) == 1u);
  BOOST_TEST(c->name() == "model");
  const auto t = c->tokenizer();
  BOOST_TEST((t.what == tokenizer_source::kind::gguf));
  BOOST_TEST(t.content["tokenizer.ggml.tokens"] == nlohmann::json::array({"a", "b", "c"}));
  BOOST_TEST(t.content["tokenizer.ggml.eos_token_id"] == 2);
  BOOST_TEST(t.config["chat_template"] == "{{ x }}");
}

BOOST_AUTO_TEST_CASE(the_end_of_a_turn_ends_a_text_too) {
  temp_dir dir;
  auto w = llama();
  w.u32("tokenizer.ggml.eos_token_id", 2);
  w.u32("tokenizer.ggml.eot_token_id", 0);
  BOOST_TEST(open(dir, w)->config()["eos_token_id"] == nlohmann::json::array({2, 0}));
}

BOOST_AUTO_TEST_CASE(tensors_have_hugging_faces_names) {
  temp_dir dir;
  auto w = llama();
  const std::vector<float> row(8, 1);
  for (const auto* name :
       {"output_norm.weight", "output.weight", "blk.0.attn_norm.weight", "blk.0.attn_q.weight", "blk.0.attn_k.bias",
        "blk.0.attn_v.weight", "blk.0.attn_output.weight", "blk.0.ffn_norm.weight", "blk.0.ffn_gate.weight",
        "blk.0.ffn_up.weight", "blk.0.ffn_down.weight"})
    w.floats(name, {8}, row);
  const auto c = open(dir, w);
  const std::vector<std::string> expected = {
      "embed_tokens.weight",
      "layers.0.input_layernorm.weight",
      "layers.0.mlp.down_proj.weight",
      "layers.0.mlp.gate_proj.weight",
      "layers.0.mlp.up_proj.weight",
      "layers.0.post_attention_layernorm.weight",
      "layers.0.self_attn.k_proj.bias",
      "layers.0.self_attn.o_proj.weight",
      "layers.0.self_attn.q_proj.weight",
      "layers.0.self_attn.v_proj.weight",
      "lm_head.weight",
      "norm.weight"};
  BOOST_TEST(c->tensor_names() == expected, boost::test_tools::per_element());
  BOOST_TEST(c->config()["tie_word_embeddings"] == false);
  BOOST_TEST((c->dims("embed_tokens.weight") == shape{3, 8} && c->has("norm.weight") && !c->has("output.weight")));
}

BOOST_AUTO_TEST_CASE(rows_of_q_and_k_come_back_in_the_order_of_hugging_face) {
  temp_dir dir;
  auto w = llama();
  // What the converter makes of rows 0 to 7 in two heads, and of 0 to 3 in one: element i beside element i + D/2.
  w.floats("blk.0.attn_q.weight", {8, 8}, numbered_rows({0, 2, 1, 3, 4, 6, 5, 7}, 8));
  w.floats("blk.0.attn_k.weight", {8, 4}, numbered_rows({0, 2, 1, 3}, 8));
  w.floats("blk.0.attn_q.bias", {8}, {0, 2, 1, 3, 4, 6, 5, 7});
  w.floats("blk.0.attn_v.weight", {8, 4}, numbered_rows({0, 2, 1, 3}, 8));
  const auto c = open(dir, w);
  const std::vector<float> eight = {0, 1, 2, 3, 4, 5, 6, 7}, four = {0, 1, 2, 3}, untouched = {0, 2, 1, 3};
  const auto column = [&](const char* name, dtype as) { return first_column(c->load(name, as).to(dtype::float32)); };
  for (const auto as : {dtype::float32, dtype::bfloat16}) {
    BOOST_TEST(column("layers.0.self_attn.q_proj.weight", as) == eight, boost::test_tools::per_element());
    BOOST_TEST(column("layers.0.self_attn.q_proj.bias", as) == eight, boost::test_tools::per_element());
    BOOST_TEST(column("layers.0.self_attn.k_proj.weight", as) == four, boost::test_tools::per_element());
    BOOST_TEST(column("layers.0.self_attn.v_proj.weight", as) == untouched, boost::test_tools::per_element());
  }
  BOOST_TEST(c->config()["attention_bias"] == true);
}

BOOST_AUTO_TEST_CASE(quantised_rows_are_put_in_order_too) {
  temp_dir dir;
  gguf_writer w;
  add_llama_fields(w, /*heads=*/8, /*kv_heads=*/1);  // hidden size 32: one quantised block a row
  w.floats("token_embd.weight", {32, 1}, std::vector<float>(32));
  std::string rows;
  for (const int row : {0, 2, 1, 3})
    rows += byte_writer().number(uint16_t{0x3c00}).bytes + std::string(32, static_cast<char>(row));
  w.tensor("blk.0.attn_k.weight", ggml::q8_0, {32, 4}, rows);
  const auto c = open(dir, w);
  BOOST_TEST((c->type("layers.0.self_attn.k_proj.weight") == dtype::float32));
  const auto k = c->load("layers.0.self_attn.k_proj.weight", dtype::float32);
  BOOST_TEST(first_column(k) == (std::vector<float>{0, 1, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST(k.as<float>()[127] == 3.0f);
}

BOOST_AUTO_TEST_CASE(rotary_scaling_is_written_in_hugging_faces_words) {
  temp_dir dir;
  auto linear = llama();
  linear.text("llama.rope.scaling.type", "linear");
  linear.real("llama.rope.scaling.factor", 4);
  BOOST_TEST(open(dir, linear)->config()["rope_scaling"] == nlohmann::json({{"rope_type", "linear"}, {"factor", 4.0}}));
  auto yarn = llama();
  yarn.text("llama.rope.scaling.type", "yarn");
  CHECK_REFUSED(open(dir, yarn), "model.gguf", "'yarn'");
}

BOOST_AUTO_TEST_CASE(the_factors_of_llama_3s_scaling_are_recognised_and_others_are_refused) {
  temp_dir dir;
  const auto with_factors = [&](float change) {
    gguf_writer w;
    add_llama_fields(w, 1, 1);
    w.u32("llama.rope.dimension_count", 128);
    w.real("llama.rope.freq_base", 500000);
    w.floats("token_embd.weight", {4, 1}, std::vector<float>(4));
    std::vector<float> factors;
    for (int i = 0; i < 64; ++i) {
      const auto wavelength = 2 * std::numbers::pi * std::pow(500000.0, i / 64.0);
      const auto smooth = (8192 / wavelength - 1) / (4 - 1);
      factors.push_back(static_cast<float>(
          wavelength < 8192.0 / 4 ? 1
          : wavelength > 8192     ? 8
                                  : 1 / ((1 - smooth) / 8 + smooth)));
    }
    factors[10] += change;
    w.floats("rope_freqs.weight", {64}, factors);
    return open(dir, w);
  };
  const auto scaling = with_factors(0)->config()["rope_scaling"];
  BOOST_TEST(
      scaling == nlohmann::json::parse(R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 8192})"),
      scaling.dump());
  CHECK_REFUSED(with_factors(0.5f), "model.gguf", "rope_freqs.weight");
}

BOOST_AUTO_TEST_CASE(what_this_llama_cannot_be_is_refused) {
  temp_dir dir;
  const auto refused = [&](auto change, const char* why) {
    auto w = llama();
    change(w);
    CHECK_REFUSED(open(dir, w), "model.gguf", why);
  };
  refused([](auto& w) { w.u32("llama.expert_count", 8); }, "llama.expert_count");
  refused(
      [](auto& w) { w.u32("llama.rope.dimension_count", 2), w.u32("llama.attention.key_length", 4); },
      "rotated as a whole");
  refused([](auto& w) { w.u32("llama.attention.value_length", 8); }, "rotated as a whole");
  refused([](auto& w) { w.real("llama.rope.freq_base", 0); }, "llama.rope.freq_base");
  refused(
      [](auto& w) { w.floats("blk.0.ffn_gate_exps.weight", {1}, {1}); }, "'blk.0.ffn_gate_exps.weight' is not known");
  refused([](auto& w) { w.floats("blk.x.attn_q.weight", {1}, {1}); }, "is not known");
  refused([](auto& w) { w.floats("blk.0.attn_q.weight", {8, 7}, std::vector<float>(56)); }, "rows of 2 heads");
  gguf_writer other;
  other.text("general.architecture", "qwen2");
  CHECK_REFUSED(open(dir, other), "model.gguf", "'qwen2'");
  gguf_writer bare;
  bare.text("general.architecture", "llama");
  CHECK_REFUSED(open(dir, bare), "model.gguf", "no metadata field llama.embedding_length");
  gguf_writer headless;
  add_llama_fields(headless, 2, 1);
  CHECK_REFUSED(open(dir, headless), "model.gguf", "token_embd.weight");
}

BOOST_AUTO_TEST_CASE(more_blocks_than_tensors_are_refused) {
  temp_dir dir;
  gguf_writer w;
  w.text("general.architecture", "llama");
  w.u32("llama.block_count", 2'000'000'000);
  for (const auto* key :
       {"llama.context_length", "llama.embedding_length", "llama.feed_forward_length", "llama.attention.head_count"})
    w.u32(key, 1);
  w.real("llama.attention.layer_norm_rms_epsilon", 1);
  w.floats("token_embd.weight", {1, 1}, {1});
  CHECK_REFUSED(num_blocks(*open(dir, w)), "model.gguf", "num_hidden_layers");
}

BOOST_AUTO_TEST_CASE(a_folder_with_one_gguf_file_opens_it_and_one_with_two_asks_which) {
  temp_dir dir;
  dir.write("one.Q4_1.gguf", llama().bytes());
  BOOST_TEST(checkpoint::open(dir.path())->name() == "one.Q4_1");
  dir.write("two.gguf", llama().bytes());
  CHECK_REFUSED(checkpoint::open(dir.path()), dir.path().string(), "2 GGUF files");
}
