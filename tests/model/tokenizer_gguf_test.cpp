// Tokenizers from GGUF metadata: made here from the reference's tokenizer.json, and from a real file where there is
// one.
#include <cstdlib>
#include <filesystem>

#include "model/checkpoint.hpp"
#include "model/tokenizer_utf8.hpp"
#include "tests/model/tokenizer_golden.hpp"

using namespace corolla::model;
using namespace corolla::model::golden_tokenizer;

namespace {

/// What from_gguf is given for a file converted from `file`, a tokenizer.json whose merges are pairs.
json as_gguf(const json& file, const std::string& pre) {
  const auto& model = file.at("model");
  std::vector<std::string> tokens(model.at("vocab").size());
  for (const auto& [token, id] : model.at("vocab").items()) tokens.at(id.get<size_t>()) = token;
  std::vector<int> types(tokens.size(), 1);
  for (const auto& added : file.at("added_tokens"))
    types.at(added.at("id").get<size_t>()) = added.at("special").get<bool>() ? 3 : 4;
  std::vector<std::string> merges;
  for (const auto& merge : model.at("merges"))
    merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  return {
      {"tokenizer.ggml.model", "gpt2"},     {"tokenizer.ggml.pre", pre},          {"tokenizer.ggml.tokens", tokens},
      {"tokenizer.ggml.token_type", types}, {"tokenizer.ggml.merges", merges},    {"tokenizer.ggml.bos_token_id", 1},
      {"tokenizer.ggml.eos_token_id", 2},   {"general.architecture", "anything"},
  };
}

/// SmolLM2-135M-Instruct as a GGUF file, which the setup fetches.
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

BOOST_AUTO_TEST_SUITE(gguf_metadata)

BOOST_AUTO_TEST_CASE(gives_the_ids_of_the_tokenizer_it_was_made_from) {
  const auto t = tokenizer::from_gguf(as_gguf(golden("smollm2/tokenizer.json"), "smollm"));
  check_cases(*t, golden("smollm2/cases.json").at("cases"));
  BOOST_TEST(t->is_special(2));
  const auto bloom = tokenizer::from_gguf(as_gguf(golden("tiny-bloom/tokenizer.json"), "bloom"));
  check_cases(*bloom, golden("tiny-bloom/cases.json").at("cases"));
}

BOOST_AUTO_TEST_CASE(names_the_split_pattern) {
  // A vocabulary in which every way of cutting shows: all bytes, and some strings that only a whole word can become.
  json model = {{"vocab", json::object()}, {"merges", json::array()}};
  int next = 0;
  for (int byte = 0; byte < 256; ++byte)
    model["vocab"][to_byte_alphabet(std::string(1, static_cast<char>(byte)))] = next++;
  const std::pair<std::string, std::string> merges[] = {{"1", "2"}, {"12", "3"}, {"123", "4"},
                                                        {"'", "L"}, {"'L", "L"}, {".", "Ċ"}};
  for (const auto& [left, right] : merges) {
    model["vocab"][left + right] = next++;
    model["merges"].push_back({left, right});
  }
  const auto words = [&](const std::string& pre) {
    const auto t = tokenizer::from_gguf(as_gguf({{"model", model}, {"added_tokens", json::array()}}, pre));
    std::string joined;
    for (const auto id : t->encode("1234'LL.\n", false)) joined += t->decode(ids{id}, false) + "|";
    return joined;
  };
  BOOST_TEST(words("gpt-2") == "1234|'|L|L|.|\n|");
  BOOST_TEST(words("smollm") == "1|2|3|4|'|L|L|.|\n|");
  BOOST_TEST(words("llama-bpe") == "123|4|'LL|.\n|");
  BOOST_TEST(words("qwen2") == "1|2|3|4|'LL|.\n|");
  BOOST_TEST(words("bloom") == "1234|'LL|.\n|");
  BOOST_TEST(words("default") == "123|4|'|L|L|.|\n|");
  BOOST_TEST(words("falcon") == "123|4|'|L|L|.|\n|");
}

BOOST_AUTO_TEST_CASE(says_whether_a_beginning_is_added) {
  auto file = as_gguf(golden("tiny-bloom/tokenizer.json"), "llama-bpe");
  BOOST_TEST(tokenizer::from_gguf(file)->encode("", true) == ids{1});
  file["tokenizer.ggml.add_bos_token"] = false;
  file["tokenizer.ggml.add_eos_token"] = true;
  BOOST_TEST(tokenizer::from_gguf(file)->encode("", true) == ids{2});
}

BOOST_AUTO_TEST_CASE(is_refused_with_the_key_that_is_wrong) {
  const auto good = as_gguf(golden("tiny-bloom/tokenizer.json"), "bloom");
  const auto refuse = [&](const std::string& key, const json& value, const std::string& part) {
    auto file = good;
    file[key] = value;
    BOOST_CHECK_EXCEPTION(tokenizer::from_gguf(file), tokenizer_error, [&](const tokenizer_error& e) {
      return std::string(e.what()).find(key) == 0 && std::string(e.what()).find(part) != std::string::npos;
    });
  };
  refuse("tokenizer.ggml.model", "llama", "only gpt2");
  refuse("tokenizer.ggml.model", nullptr, "a string is needed");
  refuse("tokenizer.ggml.pre", "no-such", "\"no-such\" is not known");
  refuse("tokenizer.ggml.tokens", "x", "a list is needed");
  refuse("tokenizer.ggml.tokens", std::vector<int>(512, 1), "a string is needed");
  refuse("tokenizer.ggml.token_type", {1, 2}, "a type for each token");
  refuse("tokenizer.ggml.merges", {"ab"}, "a space between");
  auto file = good;
  file["tokenizer.ggml.add_bos_token"] = true;
  file["tokenizer.ggml.bos_token_id"] = 512;
  BOOST_CHECK_THROW(tokenizer::from_gguf(file), tokenizer_error);
}

BOOST_AUTO_TEST_CASE(of_a_real_file_gives_the_reference_ids, *boost::unit_test::precondition(has_smollm2)) {
  const auto source = checkpoint::open(smollm2_file())->tokenizer();
  BOOST_TEST_REQUIRE((source.what == tokenizer_source::kind::gguf));
  check_cases(*tokenizer::from_gguf(source.content), golden("smollm2/cases.json").at("cases"));
}

BOOST_AUTO_TEST_SUITE_END()
