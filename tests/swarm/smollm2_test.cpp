// A real model over three servers, against the reference implementation.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include "golden.hpp"

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

const nlohmann::json& prompts() {
  static const auto facts =
      nlohmann::json::parse(std::ifstream{COROLLA_SOURCE_DIR "/tests/golden/smollm2-135m/golden-f32.json"});
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

}  // namespace corolla::tests
