// Deep prompts against the naive model: what is added where, whatever else is in the pass.
#include <boost/test/unit_test.hpp>

#include <limits>
#include <stdexcept>
#include <vector>

#include <nlohmann/json.hpp>

#include "local_model.hpp"
#include "memory_checkpoint.hpp"
#include "naive_model.hpp"

namespace corolla::tests {

namespace {

using model::tensor;

constexpr int64_t C = 16, prompt_tokens = 5;

const nlohmann::json config = {{"model_type", "llama"},  {"hidden_size", C},         {"intermediate_size", 24},
                               {"num_hidden_layers", 3}, {"num_attention_heads", 4}, {"num_key_value_heads", 2},
                               {"head_dim", 4},          {"vocab_size", 20},         {"max_position_embeddings", 40},
                               {"rms_norm_eps", 1e-5},   {"rope_theta", 10000.0}};

tensor numbers(model::shape dims, double step) {
  std::vector<float> values(static_cast<size_t>(model::num_elements(dims).value()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(std::sin(step * double(i) + step));
  return tensor::of<float>(std::move(dims), values);
}

struct prompts_fixture {
  memory_checkpoint source = made_up_llama(config);
  tensor prompts = numbers({3, prompt_tokens, C}, 0.37);

  std::unique_ptr<model::span> load(model::block_range blocks = {0, 3}) const {
    return model::span::load(source, blocks, test_options());
  }

  /// The last rows of a text [1, T, C] through `blocks`, with the prompts or without.
  std::vector<double> naive(
      const tensor& text, size_t rows_wanted, bool prompted, model::block_range blocks = {0, 3}) const {
    naive_rows rows;
    for (int64_t t = 0; t < text.dim(1); ++t) {
      const auto part = text.slice(1, t, t + 1);
      rows.emplace_back(part.as<float>().begin(), part.as<float>().end());
    }
    for (auto block = blocks.begin; block < blocks.end; ++block) {
      for (size_t t = 0; prompted && t < rows.size() && t < prompt_tokens; ++t)
        for (size_t c = 0; c < C; ++c) rows[t][c] += prompts.as<float>()[(block * prompt_tokens + t) * C + c];
      rows = naive_llama_block(source, static_cast<int>(block), rows);
    }
    std::vector<double> flat;
    for (size_t t = rows.size() - rows_wanted; t < rows.size(); ++t)
      flat.insert(flat.end(), rows[t].begin(), rows[t].end());
    return flat;
  }

  bool is(const tensor& output, const std::vector<double>& expected) const {
    return largest_difference(output, expected) < 1e-4;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(span_prompts, prompts_fixture)

BOOST_AUTO_TEST_CASE(they_are_added_at_their_positions_however_the_text_is_cut) {
  const auto text = numbers({1, 12, C}, 0.7);
  for (const int64_t chunk : {1, 2, 3, 7, 12}) {
    auto s = load();
    const auto id = s->reserve({0, 3}, 1, 12).value();
    s->set_prompts(id, prompts);
    for (int64_t at = 0; at < 12; at += chunk) {
      const auto end = std::min<int64_t>(at + chunk, 12);
      const auto output = run_one(*s, step_of(id, static_cast<uint32_t>(at), text.slice(1, at, end)));
      BOOST_TEST(is(output, naive(text.slice(1, 0, end), static_cast<size_t>(end - at), true)), "chunk " << chunk);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_text_that_goes_back_gets_them_again) {
  auto s = load();
  const auto id = s->reserve({0, 3}, 1, 12).value();
  s->set_prompts(id, prompts);
  const auto text = numbers({1, 9, C}, 0.7), other = numbers({1, 6, C}, 0.9);
  run_one(*s, step_of(id, 0, text));
  const auto both = model::concat(std::vector{text.slice(1, 0, 2), other}, 1);
  BOOST_TEST(is(run_one(*s, step_of(id, 2, other)), naive(both, 6, true)));
}

BOOST_AUTO_TEST_CASE(every_row_of_a_batch_gets_them_and_no_other_session) {
  auto s = load();
  const auto with = s->reserve({0, 3}, 2, 12).value(), without = s->reserve({0, 3}, 1, 12).value();
  s->set_prompts(with, prompts);
  const auto a = numbers({1, 8, C}, 0.7), b = numbers({1, 8, C}, 0.9), c = numbers({1, 3, C}, 1.1);
  const std::vector steps{step_of(without, 0, c), step_of(with, 0, model::concat(std::vector{a, b}, 0))};
  const std::atomic<bool> never{false};
  const auto results = s->run(steps, never);
  BOOST_TEST_REQUIRE((results[0].ok() && results[1].ok()));
  BOOST_TEST(is(results[0].hidden, naive(c, 3, false)));
  BOOST_TEST(is(results[1].hidden.slice(0, 0, 1), naive(a, 8, true)));
  BOOST_TEST(is(results[1].hidden.slice(0, 1, 2), naive(b, 8, true)));
}

BOOST_AUTO_TEST_CASE(a_session_over_a_part_of_the_span_takes_that_part_of_them) {
  auto s = load();
  const auto id = s->reserve({1, 3}, 1, 12).value();
  s->set_prompts(id, prompts.slice(0, 1, 3));
  const auto text = numbers({1, 8, C}, 0.7);
  BOOST_TEST(is(run_one(*s, step_of(id, 0, text)), naive(text, 8, true, {1, 3})));
}

BOOST_AUTO_TEST_CASE(what_a_step_brings_stays_as_it_is) {
  auto s = load();
  const auto id = s->reserve({0, 3}, 1, 12).value();
  s->set_prompts(id, prompts);
  const auto text = numbers({1, 8, C}, 0.7);
  const std::vector before(text.as<float>().begin(), text.as<float>().end());
  run_one(*s, step_of(id, 0, text));
  BOOST_TEST(std::vector(text.as<float>().begin(), text.as<float>().end()) == before, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(they_end_with_their_session) {
  auto s = load();
  const auto id = s->reserve({0, 3}, 1, 12).value();
  s->set_prompts(id, prompts);
  s->release(id);
  const auto next = s->reserve({0, 3}, 1, 12).value();
  const auto text = numbers({1, 8, C}, 0.7);
  BOOST_TEST(is(run_one(*s, step_of(next, 0, text)), naive(text, 8, false)));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused_with_both_shapes) {
  auto s = load();
  const auto id = s->reserve({0, 3}, 1, 12).value();
  const auto refused = [&](const tensor& what, const std::string& part) {
    try {
      s->set_prompts(id, what);
      return false;
    } catch (const std::invalid_argument& e) {
      return std::string{e.what()}.find(part) != std::string::npos;
    }
  };
  BOOST_TEST(refused(numbers({2, 5, C}, 1), "[2, 5, 16], but the session takes floats of [3, P, 16] with P up to 12"));
  BOOST_TEST(refused(numbers({3, 5, C - 1}, 1), "[3, 5, 15]"));
  BOOST_TEST(refused(numbers({3, 13, C}, 1), "[3, 13, 16]"));
  BOOST_TEST(refused(numbers({15, C}, 1), "[15, 16]"));
  BOOST_TEST(refused(tensor::of<int64_t>({3, 1, C}, std::vector<int64_t>(48)), "int64"));
  std::vector<float> bad(3 * C, 1.0f);
  bad[7] = std::numeric_limits<float>::quiet_NaN();
  BOOST_TEST(refused(tensor::of<float>({3, 1, C}, bad), "not a finite number"));
  s->release(id);
  BOOST_TEST(refused(prompts, "no such session"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
