// Generations with deep prompts, over any cut of the model, and when servers are lost under way: the reference's
// tokens.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <string>
#include <vector>

#include "model/safetensors.hpp"
#include "recovery_fixture.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

namespace {

struct prompted_fixture {
  long_golden golden{"llama3-rope"};
  long_text text = golden.text("prompted");

  std::vector<std::string> words(const std::vector<std::string>& more) const {
    auto result = continuation(text.prompt, text.greedy.size());
    result.insert(result.end(), {"--json", "--deep-prompts", golden.deep_prompts()});
    result.insert(result.end(), more.begin(), more.end());
    return result;
  }
  static token_ids ids_of(const run_result& result) {
    BOOST_TEST_REQUIRE(result.end.is(0), result.err);
    return nlohmann::json::parse(result.out).at("ids");
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(their_tokens_are_the_references, prompted_fixture) {
  auto local = words({"--local"});
  local.insert(local.begin(), {"generate", "--model", golden.folder()});
  BOOST_TEST(ids_of(run_corolla(local)) == text.greedy, boost::test_tools::per_element());
  for (const auto& cut : {std::vector<std::string>{"0:4"}, {"0:1", "1:3", "3:4"}}) {
    const swarm s{golden.folder(), cut};
    for (const auto* chunk : {"1", "3", "7", "64"}) BOOST_TEST_CONTEXT(cut.size() << " servers, chunks of " << chunk)
    BOOST_TEST(
        ids_of(s.run("generate", words({"--chunk-tokens", chunk}))) == text.greedy, boost::test_tools::per_element());
    // They do make a difference, and to no other text.
    auto plain = continuation(text.prompt, text.greedy.size());
    plain.push_back("--json");
    BOOST_TEST(ids_of(s.run("generate", plain)) != text.greedy);
  }
}

/// Single blocks, which `--hidden` reads, get their own.
BOOST_FIXTURE_TEST_CASE(an_evaluation_has_them_block_by_block, prompted_fixture) {
  const temp_dir folder;
  const auto inputs = folder / "in.safetensors";
  const auto length = static_cast<int64_t>(text.prompt.size());
  model::write_safetensors(
      inputs, {{"input_ids", model::tensor::of<int64_t>({1, length}, std::span<const int64_t>{text.prompt})}});
  const swarm s{golden.folder(), {"0:1", "1:4"}};
  const auto out = folder / "out.safetensors";
  const auto result =
      s.run("eval", {"--inputs", inputs, "--out", out, "--hidden", "--deep-prompts", golden.deep_prompts()});
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  const model::safetensors_file found{out};
  const auto logits = found.load("logits").slice(1, length - 1, length);
  const auto values = logits.as<float>();
  const auto best = std::max_element(values.begin(), values.end());
  BOOST_TEST(std::distance(values.begin(), best) == text.greedy.front());
  BOOST_TEST(std::abs(*best - text.logits.front()) <= golden.tolerance());
  // The last block's output is what the logits were computed from, whichever way it came.
  const auto normed = driven_client{golden.folder(), s.address()}.ends().logits(found.load("block_output.3"));
  const auto again = normed.slice(1, length - 1, length);
  for (size_t i = 0; i < values.size(); ++i)
    BOOST_TEST(std::abs(again.as<float>()[i] - values[i]) <= golden.tolerance());
}

BOOST_FIXTURE_TEST_CASE(what_does_not_fit_is_refused_in_one_sentence, prompted_fixture) {
  const temp_dir folder;
  const auto refused = [&](const std::string& name, const model::tensor& prompts, const std::string& part) {
    const auto file = folder / "p.safetensors";
    model::write_safetensors(file, {{name, prompts}});
    const auto result = run_corolla(
        {"generate", "--model", golden.folder(), "--local", "--ids", "1", "--max-new-tokens", "1", "--deep-prompts",
         file});
    BOOST_TEST(result.end.is(1));
    BOOST_TEST(std::count(result.err.begin(), result.err.end(), '\n') == 1, result.err);
    BOOST_TEST(result.err.find(part) != std::string::npos, result.err);
  };
  const auto ones = [](model::shape dims) {
    const std::vector<float> values(static_cast<size_t>(model::num_elements(dims).value()), 1.0f);
    return model::tensor::of<float>(std::move(dims), std::span<const float>{values});
  };
  refused("deep_prompts", ones({3, 2, 64}), "[3, 2, 64], and the model's are floats of [4, tokens, 64]");
  refused("deep_prompts", ones({4, 2, 32}), "[4, 2, 32]");
  refused("deep_prompts", ones({8, 64}), "not float32 [8, 64]");
  refused("prompts", ones({4, 2, 64}), "deep_prompts");
  const auto none = run_corolla(
      {"generate", "--model", golden.folder(), "--local", "--ids", "1", "--max-new-tokens", "1", "--deep-prompts",
       folder / "none.safetensors"});
  BOOST_TEST(none.end.is(1));
  BOOST_TEST(none.err.find("none.safetensors") != std::string::npos, none.err);
}

namespace {

void lose_with_prompts(recovery_fixture& f, uint32_t block, size_t at, int signal) {
  const auto steps = f.golden.text("prompted").as_script();
  const auto prompts = model::safetensors_file{f.golden.deep_prompts()}.load("deep_prompts");
  f.servers.wait_for_servers(2);
  scripted_session session{f.client, f.golden, steps, {}, {.deep_prompts = prompts}};
  session.run(0, at);
  const auto victim = session.hop_with(block);
  session.start(at);
  f.servers.strike(victim.peer, signal);
  session.finish(at);
  session.run(at + 1, steps.size());
  BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
  session.check_counters({victim.blocks});
  f.servers.replace(victim.peer);
}

}  // namespace

BOOST_DATA_TEST_CASE_F(
    recovery_fixture, a_substitute_gets_them_too, boost::unit_test::data::make({SIGKILL, SIGSTOP}), signal) {
  for (const uint32_t block : {0, 1, 3})
    for (const size_t at : {1, 7, 38}) BOOST_TEST_CONTEXT("block " << block << " at step " << at)
  lose_with_prompts(*this, block, at, signal);
}

}  // namespace corolla::tests
