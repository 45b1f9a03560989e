#include "model/checkpoint.hpp"

#include <fstream>

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include "model/safetensors.hpp"
#include "tests/model/bytes.hpp"
#include "tests/model/folder_copies.hpp"
#include "tests/support/temp_dir.hpp"

using namespace corolla::model;
using namespace corolla::tests;
namespace fs = std::filesystem;

namespace {

/// A line of /proc/self/status in kilobytes: "VmRSS" is all that is resident, "RssFile" what belongs to mapped files.
long status_kib(const std::string& field) {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;)
    if (long kib = 0; word == field + ':' && in >> kib) return kib;
  throw std::runtime_error("no " + field + " in /proc/self/status");
}

constexpr const char* plain_config = R"({"n_layer": 1})";

}  // namespace

BOOST_AUTO_TEST_CASE(names_lose_the_prefix_of_the_larger_class_and_nothing_else) {
  const auto bloom = checkpoint::open(golden_folder("bloom")), llama = checkpoint::open(golden_folder("llama"));
  BOOST_TEST((bloom->has("h.0.self_attention.query_key_value.weight") && bloom->has("word_embeddings.weight")));
  BOOST_TEST((llama->has("layers.3.mlp.up_proj.weight") && llama->has("lm_head.weight") && llama->has("norm.weight")));
  BOOST_TEST(!llama->has("model.norm.weight"));
  BOOST_TEST(std::is_sorted(llama->tensor_names().begin(), llama->tensor_names().end()));
  BOOST_TEST((bloom->name() == "bloom" && checkpoint::open(golden_folder("bloom") / "")->name() == "bloom"));
  BOOST_TEST((num_blocks(*bloom) == 4u && num_blocks(*llama) == 4u));
}

BOOST_AUTO_TEST_CASE(the_reference_models_load_with_the_types_and_shapes_that_were_written_down) {
  for (const auto* name : {"bloom", "llama", "llama3-rope"}) {
    const auto c = checkpoint::open(golden_folder(name));
    const auto golden = nlohmann::json::parse(std::ifstream(golden_folder(name) / "golden.json"));
    BOOST_TEST(golden["tensors"].size() == c->tensor_names().size());
    for (const auto& item : golden["tensors"].items()) {
      auto key = item.key();
      for (const std::string prefix : {"transformer.", "model."})
        if (key.starts_with(prefix)) key = key.substr(prefix.size());
      BOOST_TEST(std::string(to_string(c->type(key))) == item.value()[0].get<std::string>());
      BOOST_TEST(c->dims(key) == item.value()[1].get<shape>(), boost::test_tools::per_element());
      BOOST_TEST(all_finite(c->load(key, dtype::bfloat16)));
    }
  }
}

BOOST_AUTO_TEST_CASE(embedding_rows_are_what_the_reference_read) {
  for (const auto* name : {"bloom", "llama", "llama3-rope"}) {
    const auto c = checkpoint::open(golden_folder(name));
    const safetensors_file golden(golden_folder(name) / "golden.safetensors");
    const auto rows =
        c->load(c->has("embed_tokens.weight") ? "embed_tokens.weight" : "word_embeddings.weight", dtype::float32);
    const auto ids = golden.load("input_ids"), expected = golden.load("inputs_embeds");
    for (int64_t i = 0; i < ids.numel(); ++i) {
      const auto id = ids.as<int64_t>()[static_cast<size_t>(i)];
      const auto row = rows.slice(0, id, id + 1), given = expected.reshaped({ids.numel(), 64}).slice(0, i, i + 1);
      BOOST_REQUIRE(std::equal(row.bytes().begin(), row.bytes().end(), given.bytes().begin()));
    }
  }
}

BOOST_AUTO_TEST_CASE(configs_of_both_styles_are_left_as_they_are) {
  BOOST_TEST(checkpoint::open(golden_folder("llama"))->config()["rope_theta"] == 10000.0);
  const auto c = checkpoint::open(golden_folder("llama3-rope"));
  BOOST_TEST(c->config()["rope_parameters"]["rope_theta"] == 500000.0);
  BOOST_TEST(c->config()["dtype"] == "bfloat16");
  BOOST_TEST(c->generation_config()["eos_token_id"] == 2);
  BOOST_TEST((c->tokenizer().what == tokenizer_source::kind::none));
}

BOOST_AUTO_TEST_CASE(tokenizer_files_are_read_when_they_are_there) {
  temp_dir dir;
  dir.write("config.json", plain_config);
  dir.write("tokenizer.json", R"({"model": {}})");
  dir.write("tokenizer_config.json", R"({"add_bos_token": true})");
  write_safetensors(dir / "model.safetensors", {{"w", tensor()}});
  const auto c = checkpoint::open(dir.path());
  const auto t = c->tokenizer();
  BOOST_TEST((t.what == tokenizer_source::kind::tokenizer_json && t.content.contains("model")));
  BOOST_TEST(t.config["add_bos_token"] == true);
  BOOST_TEST(c->generation_config().is_null());
}

BOOST_AUTO_TEST_CASE(shards_are_one_model) {
  temp_dir dir;
  write_shards(golden_folder("llama"), dir.path());
  const auto whole = checkpoint::open(golden_folder("llama")), shards = checkpoint::open(dir.path());
  BOOST_TEST(shards->tensor_names() == whole->tensor_names(), boost::test_tools::per_element());
  for (const auto& name : whole->tensor_names()) {
    const auto a = whole->load(name, dtype::float32), b = shards->load(name, dtype::float32);
    BOOST_TEST((a.dims() == b.dims() && std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin())), name);
  }
}

BOOST_AUTO_TEST_CASE(an_index_may_name_only_shards_beside_it_that_hold_what_it_says) {
  temp_dir dir;
  dir.write("config.json", plain_config);
  write_safetensors(dir / "a.safetensors", {{"w", tensor()}});
  fs::create_directory(dir / "sub");
  write_safetensors(dir / "sub" / "a.safetensors", {{"w", tensor()}});
  const auto open_index = [&](const std::string& index) {
    dir.write("model.safetensors.index.json", index);
    return checkpoint::open(dir.path());
  };
  BOOST_TEST(open_index(R"({"weight_map": {"w": "a.safetensors"}})")->has("w"));
  for (const auto* file :
       {"../a.safetensors", "sub/a.safetensors", "/etc/passwd", "..", ".", "", "a.safetensors\\u0000"})
    CHECK_REFUSED(
        open_index(std::string(R"({"weight_map": {"w": ")") + file + "\"}}"), "index.json",
        "no plain file for tensor 'w'");
  CHECK_REFUSED(
      open_index(R"({"weight_map": {"w": "b.safetensors"}})"), "index.json", "'b.safetensors', which is not there");
  CHECK_REFUSED(
      open_index(R"({"weight_map": {"v": "a.safetensors"}})"), "a.safetensors", "'v', which the index promises");
  CHECK_REFUSED(open_index(R"({"weight_map": {"w": 7}})"), "index.json", "no plain file");
  CHECK_REFUSED(open_index(R"({"weight_map": []})"), "index.json", "weight_map");
  CHECK_REFUSED(open_index("{}"), "index.json", "weight_map");
  CHECK_REFUSED(open_index(""), "index.json", "is empty");
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_named_together_with_what_to_do) {
  temp_dir dir;
  CHECK_REFUSED(checkpoint::open(dir / "none"), "none", "does not exist; name a Hugging Face folder");
  CHECK_REFUSED(checkpoint::open(dir.path()), dir.path().string(), "no config.json; name a Hugging Face folder");
  dir.write("config.json", plain_config);
  CHECK_REFUSED(checkpoint::open(dir.path()), dir.path().string(), "neither model.safetensors nor");
  dir.write("pytorch_model.bin", "x");
  CHECK_REFUSED(checkpoint::open(dir.path()), dir.path().string(), "convert it to safetensors");
  CHECK_REFUSED(checkpoint::open(dir.write("empty.gguf", "")), "empty.gguf", "is empty");
  CHECK_REFUSED(checkpoint::open(dir.write("text.gguf", "hello")), "text.gguf", "no GGUF file");
  CHECK_REFUSED(checkpoint::open(golden_folder("llama") / "model.safetensors"), "model.safetensors", "name the folder");
}

BOOST_AUTO_TEST_CASE(files_that_are_no_files_are_refused_without_waiting) {
  temp_dir dir;
  BOOST_REQUIRE(::mkfifo((dir / "pipe.gguf").c_str(), 0600) == 0);
  CHECK_REFUSED(checkpoint::open(dir / "pipe.gguf"), "pipe.gguf", "no regular file");
  dir.write("config.json", plain_config);
  fs::create_directory(dir / "model.safetensors");
  CHECK_REFUSED(checkpoint::open(dir.path()), "model.safetensors", "no regular file");
}

BOOST_AUTO_TEST_CASE(a_config_that_is_broken_is_refused) {
  temp_dir dir;
  write_safetensors(dir / "model.safetensors", {{"w", tensor()}});
  const auto with = [&](const std::string& config) {
    dir.write("config.json", config);
    return num_blocks(*checkpoint::open(dir.path()));
  };
  BOOST_TEST(with(plain_config) == 1u);
  CHECK_REFUSED(with(""), "config.json", "is empty");
  CHECK_REFUSED(with("{"), "config.json", "no valid JSON at byte");
  CHECK_REFUSED(with("[]"), "config.json", "no JSON object");
  CHECK_REFUSED(with(R"({"n_layer": 1e999})"), "config.json", "too large");
  CHECK_REFUSED(with("{\"a\":" + std::string(100'000, '[')), "config.json", "nested deeper than 64");
  CHECK_REFUSED(with(R"({"a": ")" + std::string(5u << 20, 'x') + "\"}"), "config.json", "at most 4194304");
  for (const auto* value : {"0", "2", "-1", "\"1\"", "1.5", "null", "4294967297"})
    CHECK_REFUSED(with(std::string(R"({"num_hidden_layers": )") + value + "}"), "config.json", "num_hidden_layers");
  CHECK_REFUSED(with("{}"), "config.json", "neither num_hidden_layers nor n_layer");
}

BOOST_AUTO_TEST_CASE(a_name_that_is_there_with_and_without_its_prefix_is_refused) {
  temp_dir dir;
  dir.write("config.json", plain_config);
  write_safetensors(dir / "model.safetensors", {{"model.norm.weight", tensor()}, {"norm.weight", tensor()}});
  CHECK_REFUSED(checkpoint::open(dir.path()), "model.safetensors", "'norm.weight' is there twice");
}

BOOST_AUTO_TEST_CASE(an_unknown_tensor_is_named) {
  const auto c = checkpoint::open(golden_folder("llama"));
  CHECK_REFUSED(c->load("none", dtype::float32), "llama", "no tensor 'none'");
  CHECK_REFUSED(c->dims("none"), "llama", "'none'");
}

BOOST_AUTO_TEST_CASE(loading_keeps_no_more_memory_than_the_tensor_asked_for) {
  constexpr int64_t rows = 4096, columns = 1024;  // 16 MiB in float32
  constexpr long tensor_kib = rows * columns * 4 / 1024, margin_kib = 4 * 1024;
  temp_dir dir;
  dir.write("config.json", R"({"n_layer": 8})");
  {
    const std::vector<float> values(rows * columns, 1.0f);
    const auto t = tensor::of<float>({rows, columns}, values);
    std::map<std::string, tensor> tensors;
    for (int i = 0; i < 8; ++i) tensors["h." + std::to_string(i) + ".w"] = t;
    write_safetensors(dir / "model.safetensors", tensors);
  }
  const auto c = checkpoint::open(dir.path());
  const auto all_before = status_kib("VmRSS"), files_before = status_kib("RssFile");
  const auto kept = c->load("h.3.w", dtype::float32);
  BOOST_TEST(kept.as<float>().back() == 1.0f);
  BOOST_TEST(status_kib("VmRSS") - all_before >= tensor_kib / 2);
  BOOST_TEST(status_kib("VmRSS") - all_before <= tensor_kib + margin_kib);
  for (const auto& name : c->tensor_names()) BOOST_TEST(c->load(name, dtype::bfloat16).numel() == rows * columns);
  BOOST_TEST(status_kib("RssFile") - files_before <= margin_kib);
  c->digests();
  BOOST_TEST(status_kib("RssFile") - files_before <= margin_kib);
}
