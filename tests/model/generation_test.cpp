// The state machine of a generated text, with ends that let the test say which token comes next.
#include "model/generation.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include "tokenizer_golden.hpp"

namespace corolla::tests {

namespace {

using model::golden_tokenizer::golden;
using ids = std::vector<int64_t>;

constexpr int64_t vocabulary = 512, hidden_size = 2, end_of_text = 2;

/// The best token is the next of a script; everything else is equal.
class scripted_ends final : public model::ends {
 public:
  explicit scripted_ends(ids script) : script_{std::move(script)} {}

  int64_t hidden_size() const override { return tests::hidden_size; }
  int64_t vocab_size() const override { return vocabulary; }
  uint32_t num_blocks() const override { return 1; }
  uint32_t max_positions() const override { return 16; }
  const std::vector<int64_t>& eos_ids() const override { return eos_; }
  model::tensor embed(const model::tensor& tokens) const override {
    const auto T = tokens.dim(1);
    return model::tensor::of<float>({1, T, tests::hidden_size}, std::vector<float>(static_cast<size_t>(2 * T)));
  }
  model::tensor final_norm(const model::tensor& hidden) const override { return hidden; }
  model::tensor logits(const model::tensor&) const override {
    std::vector<float> scores(vocabulary);
    scores[static_cast<size_t>(script_.at(next_++))] = 3;
    return model::tensor::of<float>({1, 1, vocabulary}, scores);
  }

 private:
  ids script_, eos_{end_of_text};
  mutable size_t next_ = 0;
};

std::shared_ptr<const model::tokenizer> text() {
  static const auto loaded = model::tokenizer::from_json(golden("tiny-bloom/tokenizer.json"), nullptr);
  return loaded;
}

struct outcome {
  ids tokens;
  std::vector<std::string> texts;
};

/// Runs the script to the generation's end.
outcome run(const ids& script, model::generation_request request) {
  const scripted_ends ends{script};
  if (request.prompt.empty()) request.prompt = {5, 6};
  if (request.max_new_tokens == 0) request.max_new_tokens = static_cast<uint32_t>(script.size());
  model::generation g{ends, text(), request};
  const auto output = model::tensor::of<float>({1, 1, hidden_size}, std::vector<float>(hidden_size));
  outcome result;
  for (;;) {
    const auto token = g.take(output);
    BOOST_TEST(token.margin == 3.0f);
    result.tokens.push_back(token.id);
    result.texts.push_back(token.text);
    if (g.finished()) break;
  }
  BOOST_TEST(g.ids() == result.tokens, boost::test_tools::per_element());
  return result;
}

/// One token for each byte.
ids bytes(const std::string& characters) {
  static const auto file = golden("tiny-bloom/tokenizer.json");
  ids result;
  for (const auto c : characters) result.push_back(file.at("model").at("vocab").at(std::string(1, c)));
  return result;
}

using texts = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_CASE(half_a_character_is_shown_with_the_last_token) {
  auto script = text()->encode("é", /*add_special=*/false);
  BOOST_TEST_REQUIRE(script.size() == 2u);
  BOOST_TEST((run(script, {}).texts == texts{"", "é"}));
  script.pop_back();
  BOOST_TEST((run(script, {}).texts == texts{"\xef\xbf\xbd"}));
  script.push_back(end_of_text);
  BOOST_TEST((run(script, {}).texts == texts{"", "\xef\xbf\xbd"}));
}

BOOST_AUTO_TEST_CASE(the_beginning_of_a_stop_text_is_shown_with_the_last_token) {
  model::generation_request request;
  request.stop = {"bcx"};
  BOOST_TEST((run(bytes("abc"), request).texts == texts{"a", "", "bc"}));
  BOOST_TEST((run(bytes("abcd"), request).texts == texts{"a", "", "", "bcd"}));
}

BOOST_AUTO_TEST_CASE(a_stop_text_ends_it_and_is_not_shown) {
  model::generation_request request;
  request.stop = {"bc"};
  const auto done = run(bytes("abcd"), request);
  BOOST_TEST((done.texts == texts{"a", "", ""}));
  BOOST_TEST(done.tokens == bytes("abc"), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_end_of_text_ends_it_and_is_no_text_unless_it_is_ignored) {
  auto script = bytes("ab");
  script.insert(script.begin() + 1, end_of_text);
  const auto ended = run(script, {});
  BOOST_TEST(ended.tokens == ids(script.begin(), script.begin() + 2), boost::test_tools::per_element());
  BOOST_TEST((ended.texts == texts{"a", ""}));
  model::generation_request on;
  on.ignore_eos = true;
  BOOST_TEST(run(script, on).tokens == script, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_stop_id_ends_it_also_where_the_end_of_text_is_ignored) {
  model::generation_request request;
  request.stop_ids = {511, bytes("b")[0]};
  request.ignore_eos = true;
  const auto done = run(bytes("abc"), request);
  BOOST_TEST(done.tokens == bytes("ab"), boost::test_tools::per_element());
  BOOST_TEST((done.texts == texts{"a", ""}));
}

BOOST_AUTO_TEST_CASE(it_says_what_to_run_next_until_it_has_finished) {
  const scripted_ends ends{{7, 8}};
  model::generation_request request;
  request.prompt = {5, 6, 7};
  request.max_new_tokens = 2;
  model::generation g{ends, nullptr, request};
  BOOST_TEST(g.max_length() == 4u);
  BOOST_TEST(g.first().position == 0u);
  BOOST_TEST(g.first().hidden.dim(1) == 3);
  BOOST_CHECK_THROW(g.next(), std::logic_error);
  const auto output = model::tensor::of<float>({1, 1, hidden_size}, std::vector<float>(hidden_size));
  BOOST_TEST(g.take(output).id == 7);
  BOOST_TEST(g.next().position == 3u);
  BOOST_TEST(g.next().hidden.dim(1) == 1);
  BOOST_TEST(g.take(output).id == 8);
  BOOST_TEST(g.finished());
  BOOST_CHECK_THROW(g.next(), std::logic_error);
  BOOST_CHECK_THROW(g.take(output), std::logic_error);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_generated_is_refused_in_a_sentence) {
  const scripted_ends ends{{}};
  model::generation_request good;
  good.prompt = {5};
  good.max_new_tokens = 16;
  BOOST_CHECK_NO_THROW((model::generation{ends, nullptr, good}));
  const auto refuse = [&](model::generation_request request, const std::string& part) {
    BOOST_CHECK_EXCEPTION((model::generation{ends, nullptr, request}), std::invalid_argument, [&](const auto& error) {
      return std::string{error.what()}.find(part) != std::string::npos;
    });
  };
  auto bad = good;
  bad.prompt.clear();
  refuse(bad, "the prompt is empty");
  bad.prompt = {5, vocabulary};
  refuse(bad, "id 512 is outside the model's vocabulary of 512");
  bad = good;
  bad.max_new_tokens = 0;
  refuse(bad, "max_new_tokens is 0");
  bad.max_new_tokens = 17;
  refuse(bad, "need 17 positions, and the model has 16");
  bad = good;
  bad.stop = {"x"};
  refuse(bad, "stop strings need a tokenizer");
  bad = good;
  bad.sampling.top_p = 0;
  refuse(bad, "top_p");
}

}  // namespace corolla::tests
