// `corolla tokenize` against the reference's ids: from a tokenizer.json, a folder, and a model's file.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

using corolla::tests::corolla_executable;
using corolla::tests::run;
using corolla::tests::temp_dir;
using nlohmann::json;

namespace {

const std::string folder = COROLLA_SOURCE_DIR "/tests/golden/tokenizer/";

json read(const std::string& file) {
  std::ifstream in{file};
  BOOST_REQUIRE_MESSAGE(in, "cannot read " << file);
  return json::parse(in);
}

/// What `corolla tokenize` says to each of `lines`.
std::vector<json> tokenize(
    const std::string& tokenizer, const std::vector<json>& lines, const std::vector<std::string>& more = {}) {
  std::string input;
  for (const auto& line : lines) input += line.dump() + '\n';
  std::vector<std::string> words{corolla_executable(), "tokenize", "--tokenizer", tokenizer};
  words.insert(words.end(), more.begin(), more.end());
  const auto result = run(words, {.environment = {}, .input = input, .folder = {}});
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  std::istringstream out{result.out};
  std::vector<json> answers;
  for (std::string line; std::getline(out, line);) answers.push_back(json::parse(line));
  BOOST_TEST_REQUIRE(answers.size() == lines.size());
  return answers;
}

void check(const std::string& tokenizer, const json& cases) {
  std::vector<json> texts, ids;
  for (const auto& c : cases) {
    texts.push_back(c.at("text"));
    ids.push_back(c.at("ids"));
  }
  const auto plain = tokenize(tokenizer, texts), special = tokenize(tokenizer, texts, {"--special"});
  const auto decoded = tokenize(tokenizer, ids, {"--decode", "--special"});
  for (size_t i = 0; i < cases.size(); ++i) BOOST_TEST_CONTEXT(texts[i]) {
      BOOST_TEST(plain[i] == cases[i].at("ids"));
      BOOST_TEST(special[i] == cases[i].at("ids_special"));
      BOOST_TEST(decoded[i] == cases[i].at("decoded"));
    }
}

std::filesystem::path smollm2_file() {
  if (const auto* path = std::getenv("COROLLA_SMOLLM2_GGUF")) return path;
  return COROLLA_SOURCE_DIR "/.deps/models/SmolLM2-135M-Instruct.Q4_1.gguf";
}

boost::test_tools::assertion_result has_smollm2(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(std::filesystem::exists(smollm2_file()));
  result.message() << "there is no " << smollm2_file();
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_tokenizer_json_gives_the_reference_ids_by_its_file_and_by_its_folder) {
  for (const std::string name : {"smollm2", "tiny-bloom"}) {
    const auto cases = read(folder + name + "/cases.json").at("cases");
    check(folder + name + "/tokenizer.json", cases);
    check(folder + name, cases);
  }
}

BOOST_AUTO_TEST_CASE(special_tokens_are_added_where_they_are_asked_for) {
  const temp_dir dir;
  auto changed = 0;
  for (const auto& variant : read(folder + "variants.json")) {
    if (!variant.at("name").get<std::string>().starts_with("template")) continue;
    auto file = read(folder + "tiny-bloom/tokenizer.json");
    file.update(variant.at("change"));
    check(dir.write("tokenizer.json", file.dump()), variant.at("cases"));
    for (const auto& c : variant.at("cases"))
      if (c.at("ids") != c.at("ids_special")) ++changed;
  }
  BOOST_TEST(changed > 0);
  // Without --special they are not shown either.
  const auto with_both = tokenize(dir / "tokenizer.json", {"a cat"}, {"--special"});
  BOOST_TEST(tokenize(dir / "tokenizer.json", with_both, {"--decode"}) == std::vector<json>{"a cat"});
  BOOST_TEST(tokenize(dir / "tokenizer.json", with_both, {"--decode", "--special"}) != std::vector<json>{"a cat"});
}

BOOST_AUTO_TEST_CASE(a_gguf_file_gives_the_reference_ids, *boost::unit_test::precondition(has_smollm2)) {
  check(smollm2_file(), read(folder + "smollm2/cases.json").at("cases"));
}
