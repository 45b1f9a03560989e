// A real model, from its GGUF file, against the reference implementation.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "local_model.hpp"
#include "model/safetensors.hpp"

namespace corolla::tests {

namespace {

namespace data = boost::unit_test::data;
using model::tensor;

std::filesystem::path model_file() {
  const auto* chosen = std::getenv("COROLLA_SMOLLM2_GGUF");
  return chosen ? chosen : COROLLA_SOURCE_DIR "/.deps/models/SmolLM2-135M-Instruct.Q4_1.gguf";
}

/// Loaded once for all cases.
local_model& smollm2() {
  static local_model loaded = [] {
    const auto file = model_file();
    if (!std::filesystem::exists(file))
      throw std::runtime_error(
          "there is no " + file.string() +
          ": scripts/fetch_model.sh fetches it, or set COROLLA_SMOLLM2_GGUF to the model's file");
    return local_model::load(*model::checkpoint::open(file), {14});
  }();
  return loaded;
}

const std::string folder = COROLLA_SOURCE_DIR "/tests/golden/smollm2-135m/";

const nlohmann::json& prompts() {
  static const auto facts = nlohmann::json::parse(std::ifstream(folder + "golden-f32.json"));
  return facts.at("prompts");
}

tensor golden(size_t prompt, const std::string& name) {
  static const model::safetensors_file tensors(folder + "golden-f32.safetensors");
  return tensors.load(std::to_string(prompt) + '.' + name);
}

/// Another order of sums, over thirty blocks.
bool is_near(const tensor& found, const tensor& expected) {
  return largest_difference(found, expected.as<float>()) <= 1e-4 * (1 + largest(expected));
}

tensor embedded(size_t prompt) {
  return smollm2().ends->embed(ids_of({prompts()[prompt].at("ids").get<std::vector<int64_t>>()}));
}

}  // namespace

BOOST_DATA_TEST_CASE(block_outputs_norm_and_logits_are_close_to_the_reference, data::xrange(3), prompt) {
  const auto i = static_cast<size_t>(prompt);
  auto hidden = embedded(i);
  const auto T = hidden.dim(1);
  uint32_t begin = 0;
  for (const uint32_t block : {0u, 1u, 14u, 28u, 29u}) {
    for (const auto& span : smollm2().spans) {
      const model::block_range part{std::max(begin, span->blocks().begin), std::min(block + 1, span->blocks().end)};
      if (part.empty()) continue;
      const auto cache = span->reserve(part, 1, static_cast<uint32_t>(T)).value();
      hidden = run_one(*span, step_of(cache, 0, hidden));
      span->release(cache);
    }
    begin = block + 1;
    BOOST_TEST_CONTEXT("block " << block)
    BOOST_TEST(is_near(hidden.reshaped({T, hidden.dim(2)}), golden(i, "block_output." + std::to_string(block))));
  }
  BOOST_TEST(is_near(smollm2().ends->final_norm(hidden).reshaped({T, hidden.dim(2)}), golden(i, "final_norm")));
  const auto logits = smollm2().ends->logits(hidden);
  const auto V = logits.dim(2);
  BOOST_TEST(is_near(logits.slice(1, T - 1, T).reshaped({V}), golden(i, "last_logits")));
  const auto top_ids = golden(i, "top_ids"), top_logits = golden(i, "top_logits");
  for (int64_t n = 0; n < top_ids.numel(); ++n) {
    const auto at = static_cast<size_t>(n);
    const auto found = logits.as<float>()[static_cast<size_t>(n / 10 * V + top_ids.as<int64_t>()[at])];
    BOOST_TEST(std::abs(found - top_logits.as<float>()[at]) < 1e-3);
  }
}

BOOST_DATA_TEST_CASE(greedy_tokens_are_those_of_the_reference, data::xrange(3), prompt) {
  const auto& facts = prompts()[static_cast<size_t>(prompt)];
  const auto expected = facts.at("greedy").get<std::vector<int64_t>>();
  const auto margins = facts.at("top1_margins").get<std::vector<double>>();
  const auto hidden = embedded(static_cast<size_t>(prompt));
  for (const auto& [chunk, count] : {std::pair<int64_t, size_t>{1000, expected.size()}, {1, 2}, {4, 2}}) {
    local_session session(smollm2(), 1, static_cast<uint32_t>(hidden.dim(1)) + static_cast<uint32_t>(count));
    auto output = session.run_in_chunks(hidden, chunk);
    // Where the two best logits are closer, rounding may choose the other one.
    for (size_t n = 0; n < count && margins[n] > 1e-3; ++n) {
      const auto best = best_ids(smollm2().ends->logits(output.slice(1, output.dim(1) - 1, output.dim(1))));
      BOOST_TEST_REQUIRE(best[0] == expected[n]);
      output = session.run(smollm2().ends->embed(ids_of({best})));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_end_of_text_is_known) {
  BOOST_TEST(smollm2().ends->eos_ids() == (std::vector<int64_t>{2}), boost::test_tools::per_element());
}

}  // namespace corolla::tests
