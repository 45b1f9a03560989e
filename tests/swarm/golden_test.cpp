// What a swarm computes against the reference implementation: every cut of the model, every way to cut a prompt.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <functional>
#include <ostream>
#include <regex>
#include <string>
#include <vector>

#include "long_golden.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

namespace {

namespace data = boost::unit_test::data;

const std::vector<std::string> names{"bloom", "llama", "llama3-rope"};

struct cut {
  std::vector<std::string> spans;
};

std::ostream& operator<<(std::ostream& out, const cut& c) {
  for (const auto& span : c.spans) out << span << ' ';
  return out;
}

const std::vector<cut> cuts{{{"0:4"}}, {{"0:1", "1:4"}}, {{"0:1", "1:3", "3:4"}}};

/// The largest difference; infinite where a shape differs or something is no number.
double difference(const model::tensor& found, const model::tensor& expected) {
  if (found.dims() != expected.dims() || found.type() != expected.type()) return INFINITY;
  const auto a = found.as<float>(), b = expected.as<float>();
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto distance = std::abs(double{a[i]} - double{b[i]});
    if (!(distance <= largest)) largest = std::isnan(distance) ? INFINITY : distance;
  }
  return largest;
}

/// Runs "eval" with these words, somewhere.
using evaluator = std::function<run_result(const std::vector<std::string>& words)>;

void check_evaluation(const evaluator& eval, const golden& expected, const std::string& chunk_tokens) {
  const temp_dir folder;
  const auto out = folder / "out.safetensors";
  const auto result = eval({"--inputs", expected.file(), "--out", out, "--hidden", "--chunk-tokens", chunk_tokens});
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  const model::safetensors_file found{out};
  BOOST_TEST(found.tensors().size() == 7u);
  for (const auto* name :
       {"embeddings", "block_output.0", "block_output.1", "block_output.2", "block_output.3", "final_norm", "logits"})
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST(difference(found.load(name), expected.load(name)) <= expected.tolerance(name));
    }
}

/// Of the prompt, so many at a time; the last are all of it.
const std::vector<std::string> chunk_sizes{"1", "3", "7", "1000"};

void check_continuation(
    const swarm& s, const token_ids& prompt, const token_ids& greedy, const std::string& chunk_tokens) {
  auto words = continuation(prompt, greedy.size());
  words.insert(words.end(), {"--json", "--chunk-tokens", chunk_tokens});
  const auto result = s.run("generate", words);
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  const auto answer = nlohmann::json::parse(result.out);
  BOOST_TEST(answer.at("ids").get<token_ids>() == greedy, boost::test_tools::per_element());
  BOOST_TEST(answer.at("route").size() == s.size());
}

/// Of what bfloat16, which keeps 8 bits of a number, may be off over four blocks and the head.
constexpr double bfloat16_error = 0.05;

double relative_error(const model::tensor& found, const model::tensor& expected) {
  if (found.dims() != expected.dims()) return INFINITY;
  const auto a = found.as<float>(), b = expected.as<float>();
  double error = 0, all = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += std::pow(double{a[i]} - double{b[i]}, 2);
    all += std::pow(double{b[i]}, 2);
  }
  return std::sqrt(error / all);
}

model::tensor logits_of(const swarm& s, const golden& expected, std::vector<std::string> words) {
  const temp_dir folder;
  const auto out = folder / "out.safetensors";
  words.insert(words.end(), {"--inputs", expected.file(), "--out", out});
  const auto result = s.run("eval", words);
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  return model::safetensors_file{out}.load("logits");
}

}  // namespace

BOOST_DATA_TEST_CASE(a_swarm_computes_what_the_reference_does, data::make(names) * data::make(cuts), name, c) {
  const golden expected{name};
  const swarm s{expected.folder(), c.spans};
  for (const auto& chunk_tokens : chunk_sizes) BOOST_TEST_CONTEXT("chunks of " << chunk_tokens) {
      check_evaluation([&](const auto& words) { return s.run("eval", words); }, expected, chunk_tokens);
      for (size_t i = 0; i < expected.prompts().size(); ++i)
        check_continuation(s, expected.prompts()[i], expected.greedy()[i], chunk_tokens);
    }
}

BOOST_DATA_TEST_CASE(one_process_computes_what_the_reference_does, data::make(names), name) {
  const golden expected{name};
  const auto eval = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"eval", "--local", "--threads", "1", "--model", expected.folder()};
    words.insert(words.end(), more.begin(), more.end());
    return run_corolla(words);
  };
  for (const auto& chunk_tokens : chunk_sizes)
    BOOST_TEST_CONTEXT("chunks of " << chunk_tokens) check_evaluation(eval, expected, chunk_tokens);
}

BOOST_DATA_TEST_CASE(a_swarm_continues_long_texts_as_the_reference_does, data::make(names), name) {
  const long_golden expected{name};
  BOOST_TEST(expected.margin() > expected.tolerance());
  const swarm s{expected.folder(), cuts.back().spans};
  std::vector<std::string> texts{"of_40", "of_100"};
  if (name == "llama3-rope") texts.push_back("behind_300");  // the one with so many positions
  for (const auto& text : texts) BOOST_TEST_CONTEXT(text) {
      const auto wanted = expected.text(text);
      check_continuation(s, wanted.prompt, wanted.greedy, "64");
    }
}

BOOST_AUTO_TEST_CASE(a_server_tells_all_about_itself_in_its_ready_line) {
  server node{tiny_model("llama"), {"--node.dtype=bfloat16", "--node.blocks=1:4", "--node.cache_tokens=512"}};
  node.wait_until_ready();
  const std::regex line{
      "ready corolla://[a-z2-7]{52}@127\\.0\\.0\\.1:[1-9][0-9]{0,4} model=llama@[0-9a-f]{6} blocks=1:4 dtype=bfloat16 "
      "cache_tokens=512"};
  BOOST_TEST(std::regex_match(node.ready_line(), line), node.ready_line());
}

BOOST_DATA_TEST_CASE(servers_in_bfloat16_are_near_the_reference, data::make(names), name) {
  const golden expected{name};
  const swarm s{expected.folder(), {"0:1", "1:4"}, {"--node.dtype=bfloat16"}};
  for (const auto* client : {"float32", "bfloat16"}) BOOST_TEST_CONTEXT("a client in " << client) {
      const auto found = logits_of(s, expected, {"--dtype", client});
      const auto error = relative_error(found, expected.load("logits"));
      BOOST_TEST_MESSAGE(name << ", client in " << client << ": relative error " << error);
      BOOST_TEST(error < bfloat16_error);
      // In float32 it would be a thousandth of this.
      BOOST_TEST(error > 1e-3);
      const auto text = s.run(
          "generate", {"--ids", to_list(expected.prompts()[0]), "--max-new-tokens", "8", "--ignore-eos", "--dtype",
                       client, "--json"});
      BOOST_TEST_REQUIRE(text.end.is(0), text.err);
      BOOST_TEST(nlohmann::json::parse(text.out).at("ids").size() == 8u);
    }
}

}  // namespace corolla::tests
