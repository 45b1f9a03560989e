#include "model/make_model.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

#include <boost/test/unit_test.hpp>

#include "model/checkpoint.hpp"
#include "model/made_tokenizer.hpp"
#include "model/model_plan.hpp"
#include "tests/model/bytes.hpp"
#include "tests/model/folder_copies.hpp"
#include "tests/support/temp_dir.hpp"

using namespace corolla::model;
using namespace corolla::tests;

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

uint64_t num_parameters(const model_plan& plan) {
  uint64_t n = 0;
  for (const auto& t : plan.tensors) n += static_cast<uint64_t>(num_elements(t.dims).value());
  return n;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_shapes_have_as_many_parameters_as_the_models_they_are_named_after) {
  BOOST_TEST(num_parameters(plan_model("bloom-560m", /*small=*/false)) == 559'214'592u);
  BOOST_TEST(num_parameters(plan_model("tinyllama-1.1b", /*small=*/false)) == 1'100'048'384u);
  BOOST_CHECK_THROW(plan_model("gpt-9", false), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_made_model_has_the_tensors_of_the_reference_model_of_its_family) {
  for (const auto& [shape_name, reference] : {std::pair("bloom-560m", "bloom"), std::pair("tinyllama-1.1b", "llama")}) {
    temp_dir dir;
    make_model(shape_name, /*small=*/true, dir / "m", /*seed=*/1);
    const auto made = checkpoint::open(dir / "m"), golden = checkpoint::open(golden_folder(reference));
    BOOST_TEST(num_blocks(*made) == plan_model(shape_name, false).config.value("n_layer", 22u));
    BOOST_TEST(made->config()["model_type"] == golden->config()["model_type"]);
    for (const auto& name : golden->tensor_names()) {
      BOOST_REQUIRE_MESSAGE(made->has(name), name);
      BOOST_TEST(made->dims(name) == golden->dims(name), name);
      BOOST_TEST(all_finite(made->load(name, dtype::float32)), name);
    }
    const auto& names = golden->tensor_names();
    const auto in_a_block = std::count_if(
        names.begin(), names.end(), [](const auto& n) { return n.starts_with("h.0.") || n.starts_with("layers.0."); });
    BOOST_TEST(made->tensor_names().size() - names.size() == (num_blocks(*made) - 4) * static_cast<size_t>(in_a_block));
  }
}

BOOST_AUTO_TEST_CASE(weights_have_the_mean_and_deviation_that_were_planned) {
  temp_dir dir;
  make_model("bloom-560m", /*small=*/true, dir / "m", /*seed=*/1);
  const auto c = checkpoint::open(dir / "m");
  std::set<float> firsts;
  for (const auto& t : plan_model("bloom-560m", true).tensors) {
    const auto loaded = c->load(t.name, dtype::float32);
    const auto values = loaded.as<float>();
    double sum = 0, squares = 0;
    for (const auto v : values) sum += v, squares += (v - t.mean) * (v - t.mean);
    const auto n = static_cast<double>(values.size()), error = 5 * t.deviation / std::sqrt(n);
    BOOST_TEST(std::abs(sum / n - t.mean) < error, t.name);
    BOOST_TEST(std::abs(std::sqrt(squares / n) - t.deviation) < error, t.name);
    firsts.insert((values[0] - t.mean) / t.deviation);
  }
  BOOST_TEST(firsts.size() > 280u);
}

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_bytes_and_another_one_others) {
  temp_dir dir;
  make_model("tinyllama-1.1b", true, dir / "a", 1);
  make_model("tinyllama-1.1b", true, dir / "b", 1);
  make_model("tinyllama-1.1b", true, dir / "c", 2);
  for (const auto* file : {"model.safetensors", "config.json", "generation_config.json", "tokenizer.json"})
    BOOST_TEST((read_file(dir / "a" / file) == read_file(dir / "b" / file)), file);
  BOOST_TEST((read_file(dir / "a" / "model.safetensors") != read_file(dir / "c" / "model.safetensors")));
}

BOOST_AUTO_TEST_CASE(a_folder_that_holds_something_is_left_alone) {
  temp_dir dir;
  dir.write("precious", "x");
  BOOST_CHECK_THROW(make_model("bloom-560m", true, dir.path(), 1), std::runtime_error);
  BOOST_CHECK_THROW(make_model("bloom-560m", true, dir / "precious", 1), std::runtime_error);
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

BOOST_AUTO_TEST_CASE(progress_grows_to_all_bytes) {
  temp_dir dir;
  uint64_t last = 0, total = 0;
  make_model("bloom-560m", true, dir / "m", 1, [&](uint64_t done, uint64_t all) {
    BOOST_REQUIRE((done > last && done <= all));
    last = done, total = all;
  });
  BOOST_TEST((total > 0 && last == total));
}

BOOST_AUTO_TEST_CASE(a_made_tokenizer_has_every_byte_and_merges_of_tokens_that_it_has) {
  for (const int64_t size : {260, 512, 32'000}) {
    const std::vector<std::string> special = {"<unk>", "<s>", "</s>", "<pad>"};
    const auto t = nlohmann::json::parse(make_tokenizer(size, special));
    const auto& vocab = t["model"]["vocab"];
    BOOST_TEST(vocab.size() == static_cast<size_t>(size));
    std::set<int64_t> ids;
    for (const auto& item : vocab.items()) ids.insert(item.value().get<int64_t>());
    BOOST_TEST((*ids.begin() == 0 && *ids.rbegin() == size - 1 && ids.size() == vocab.size()));
    for (const auto* letter : {"!", "a", "\u0120", "\u010a", "\u0100", "\u00ff", "\u0143"})
      BOOST_TEST(vocab.contains(letter));
    int64_t rank = 260;
    for (const auto& m : t["model"]["merges"]) {
      const auto text = m.get<std::string>();
      const auto left = text.substr(0, text.find(' ')), right = text.substr(text.find(' ') + 1);
      BOOST_REQUIRE((vocab.at(left) < rank && vocab.at(right) < rank));
      BOOST_REQUIRE(vocab.at(left + right) == rank++);
    }
    BOOST_TEST(rank == size);
  }
  BOOST_CHECK_THROW(make_tokenizer(256, std::vector<std::string>{"<s>"}), std::invalid_argument);
}
