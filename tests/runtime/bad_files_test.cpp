// What is wrong with a model's files: one sentence that names the very file and the field.
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

using corolla::tests::corolla_executable;
using corolla::tests::run;
using corolla::tests::run_result;
using corolla::tests::temp_dir;
using nlohmann::json;

namespace {

namespace fs = std::filesystem;

const fs::path golden = fs::path{COROLLA_SOURCE_DIR} / "tests/golden";

json read(const fs::path& file) {
  std::ifstream in{file};
  return json::parse(in);
}

/// A copy of a good model with a tokenizer, to be spoilt.
struct model_copy {
  model_copy() {
    for (const auto* name : {"config.json", "generation_config.json", "model.safetensors"})
      fs::copy_file(golden / "tiny/llama" / name, dir / name);
    fs::copy_file(golden / "tokenizer/tiny-bloom/tokenizer.json", dir / "tokenizer.json");
  }

  void change(const std::string& name, const json& patch) const {
    auto content = fs::exists(dir / name) ? read(dir / name) : json::object();
    content.merge_patch(patch);
    dir.write(name, content.dump());
  }
  std::string file(const std::string& name) const { return (dir / name).string(); }
  run_result call(std::vector<std::string> words) const {
    words.insert(words.begin(), corolla_executable());
    return run(words, {.environment = {}, .input = "\"a\"\n", .folder = {}});
  }
  run_result generate() const {
    return call(
        {"generate", "--local", "--threads", "1", "--model", dir.path(), "--ids", "1,2", "--max-new-tokens", "2"});
  }
  run_result tokenize(const std::string& what) const { return call({"tokenize", "--tokenizer", what}); }

  temp_dir dir;
};

void expect(const run_result& result, const std::string& sentence) {
  BOOST_TEST(result.end.is(1));
  BOOST_TEST(result.err == "corolla: " + sentence + "\n");
  BOOST_TEST(result.out == "");
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_field_of_a_tokenizer_is_named_with_its_file) {
  const model_copy model;
  BOOST_TEST_REQUIRE(model.generate().end.is(0), model.generate().err);
  model.change("tokenizer_config.json", {{"add_bos_token", 3}});
  const auto setting =
      model.file("tokenizer_config.json") + ": tokenizer_config.add_bos_token: true or false is needed";
  expect(model.generate(), setting);
  expect(model.tokenize(model.file("tokenizer.json")), setting);
  model.change("tokenizer.json", {{"model", {{"type", "Unigram"}}}});
  const auto type = model.file("tokenizer.json") + ": model.type: the type \"Unigram\" is not supported, only BPE";
  expect(model.generate(), type);
  for (const auto& what : {model.dir.path().string(), model.file("tokenizer.json")}) expect(model.tokenize(what), type);
  fs::remove(model.dir / "config.json");
  expect(model.tokenize(model.dir.path()), type);
}

BOOST_AUTO_TEST_CASE(a_field_of_a_config_is_named_with_the_file_that_it_stands_in) {
  const auto ids = std::string{": config field 'eos_token_id' is neither an integer nor a list of integers"};
  const model_copy model;
  model.change("generation_config.json", {{"eos_token_id", "x"}});
  expect(model.generate(), model.file("generation_config.json") + ids);
  model.change("generation_config.json", {{"eos_token_id", nullptr}});
  model.change("config.json", {{"eos_token_id", "x"}});
  expect(model.generate(), model.file("config.json") + ids);
  model.change("config.json", {{"eos_token_id", 2}, {"hidden_size", "64"}});
  expect(model.generate(), model.file("config.json") + ": config field 'hidden_size' is no integer");
}

BOOST_AUTO_TEST_CASE(a_cache_that_cannot_be_allocated_is_told_with_its_size_and_what_to_lower) {
  const model_copy model;
  const auto result = model.call(
      {"node", "--node.log_level=off", "--node.threads=1", "--node.model=" + model.dir.path().string(),
       "--node.blocks=0:2", "--node.cache_tokens=1099511627776"});
  // Two blocks' keys and values, each of 2 heads of 16 float32.
  expect(
      result,
      "the cache of 1099511627776 tokens needs 562949953421312 bytes, which cannot be allocated (a node holds "
      "node.cache_tokens)");
}
