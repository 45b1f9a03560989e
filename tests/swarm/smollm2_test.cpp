// A real model over three servers, against the reference implementation.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <regex>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "golden.hpp"
#include "model/safetensors_writer.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

namespace {

namespace data = boost::unit_test::data;

std::filesystem::path model_file() {
  const auto* chosen = std::getenv("COROLLA_SMOLLM2_GGUF");
  const std::filesystem::path file =
      chosen ? chosen : COROLLA_SOURCE_DIR "/.deps/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!std::filesystem::exists(file))
    throw std::runtime_error(
        "there is no " + file.string() +
        ": scripts/fetch_model.sh fetches it, or set COROLLA_SMOLLM2_GGUF to the model's file");
  return file;
}

/// Three servers, started once for all cases.
const swarm& smollm2() {
  static const swarm servers{model_file(), {"0:7", "7:20", "20:30"}, {"--node.cache_tokens=512"}};
  return servers;
}

const std::string folder = COROLLA_SOURCE_DIR "/tests/golden/smollm2-135m/";

const nlohmann::json& prompts() {
  static const auto facts = nlohmann::json::parse(std::ifstream{folder + "golden-f32.json"});
  return facts.at("prompts");
}

nlohmann::json generate(std::vector<std::string> words) {
  words.insert(words.end(), {"--max-new-tokens", "40", "--ignore-eos", "--json"});
  const auto result = smollm2().run("generate", words);
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  return nlohmann::json::parse(result.out);
}

/// Tokens until the two best logits come so close that rounding may choose the other.
size_t num_certain(const nlohmann::json& prompt) {
  const auto margins = prompt.at("top1_margins").get<std::vector<double>>();
  size_t count = 0;
  while (count < margins.size() && margins[count] > 1e-3) ++count;
  return count;
}

/// The reference shows them, a text that is generated does not.
std::string without_special_tokens(const std::string& text) {
  return std::regex_replace(text, std::regex{"<\\|[a-z_]+\\|>"}, "");
}

/// The last V of logits, less their mean: what all have more of changes no probability.
std::vector<double> centred(std::span<const float> logits, size_t V) {
  const auto row = logits.last(V);
  const auto mean = std::accumulate(row.begin(), row.end(), 0.0) / static_cast<double>(V);
  std::vector<double> result;
  for (const auto x : row) result.push_back(x - mean);
  return result;
}

double relative_error(const std::vector<double>& found, const std::vector<double>& expected) {
  double error = 0, all = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    error += std::pow(found[i] - expected[i], 2);
    all += std::pow(expected[i], 2);
  }
  return std::sqrt(error / all);
}

/// The reference rounds the weights alone to bfloat16; servers compute in it, too, over thirty blocks.  0.02 is usual.
constexpr double bfloat16_error = 0.05;
/// Between the two best logits; a smaller one such an error may turn round.
constexpr double bfloat16_margin = 1;

}  // namespace

BOOST_DATA_TEST_CASE(greedy_tokens_and_text_are_those_of_the_reference, data::xrange(3), i) {
  const auto& prompt = prompts().at(static_cast<size_t>(i));
  auto expected = prompt.at("greedy").get<token_ids>();
  const auto certain = num_certain(prompt);
  BOOST_TEST_REQUIRE(certain > 0u);

  const auto by_ids = generate({"--ids", to_list(prompt.at("ids").get<token_ids>())});
  BOOST_TEST(by_ids.at("route").size() == 3u);
  auto found = by_ids.at("ids").get<token_ids>();
  BOOST_TEST_REQUIRE(found.size() == expected.size());
  if (certain == expected.size())
    BOOST_TEST(by_ids.at("text") == without_special_tokens(prompt.at("greedy_text").get<std::string>()));
  found.resize(certain);
  expected.resize(certain);
  BOOST_TEST(found == expected, boost::test_tools::per_element());

  const auto by_text = generate({"--prompt", prompt.at("text").get<std::string>()});
  BOOST_TEST(by_text.at("ids") == by_ids.at("ids"));
  BOOST_TEST(by_text.at("text") == by_ids.at("text"));
}

BOOST_AUTO_TEST_CASE(servers_in_bfloat16_are_near_the_reference_with_weights_in_bfloat16) {
  swarm s{model_file(), {"0:7", "7:20", "20:30"}, {"--node.cache_tokens=512", "--node.dtype=bfloat16"}};
  for (const auto& one : s.servers()) BOOST_TEST(one.ready_line().find(" dtype=bfloat16 ") != std::string::npos);
  const model::safetensors_file golden{folder + "golden-bf16.safetensors"};
  const auto facts = nlohmann::json::parse(std::ifstream{folder + "golden-bf16.json"});
  for (size_t i = 0; i < 3; ++i) BOOST_TEST_CONTEXT("prompt " << i) {
      const auto& prompt = facts.at("prompts").at(i);
      const auto ids = prompt.at("ids").get<token_ids>();
      const temp_dir dir;
      const auto in = dir / "in.safetensors", out = dir / "out.safetensors";
      model::write_safetensors(
          in, {{"input_ids", model::tensor::of<int64_t>({1, static_cast<int64_t>(ids.size())}, ids)}});
      const auto evaluated = s.run("eval", {"--inputs", in, "--out", out, "--dtype", "bfloat16"});
      BOOST_TEST_REQUIRE(evaluated.end.is(0), evaluated.err);
      const auto expected = golden.load(std::to_string(i) + ".last_logits");
      const auto found = model::safetensors_file{out}.load("logits");
      const auto V = expected.as<float>().size();
      const auto error = relative_error(centred(found.as<float>(), V), centred(expected.as<float>(), V));
      BOOST_TEST_MESSAGE("relative error " << error);
      BOOST_TEST(error < bfloat16_error);

      const auto generated = s.run(
          "generate",
          {"--ids", to_list(ids), "--max-new-tokens", "8", "--ignore-eos", "--dtype", "bfloat16", "--json"});
      BOOST_TEST_REQUIRE(generated.end.is(0), generated.err);
      const auto tokens = nlohmann::json::parse(generated.out).at("ids").get<token_ids>();
      const auto greedy = prompt.at("greedy").get<token_ids>();
      const auto margins = prompt.at("top1_margins").get<std::vector<double>>();
      for (size_t n = 0; n < tokens.size() && margins[n] > bfloat16_margin; ++n) BOOST_TEST(tokens[n] == greedy[n]);
    }
}

}  // namespace corolla::tests
