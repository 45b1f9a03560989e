// The tiny models against the reference implementation: every block, the norm, the logits and the tokens that follow.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

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

const std::vector<std::string> names = {"bloom", "llama", "llama3-rope"};
const std::vector<std::vector<uint32_t>> cuts_of_four_blocks = {{}, {1}, {2, 3}};
/// The last is all at once.
const std::vector<int64_t> chunk_sizes = {1, 3, 7, 1000};

struct golden {
  explicit golden(const std::string& name)
      : folder(std::string(COROLLA_SOURCE_DIR) + "/tests/golden/tiny/" + name),
        source(model::checkpoint::open(folder)),
        tensors(folder + "/golden.safetensors"),
        facts(nlohmann::json::parse(std::ifstream(folder + "/golden.json"))) {}

  tensor operator[](const std::string& name) const { return tensors.load(name); }
  tensor ids() const { return tensors.load("input_ids"); }

  /// What float32 itself costs in this group of tensors, with room for another order of sums.
  double tolerance(const std::string& group, const tensor& expected) const {
    return 20 * facts.at("f64").at(group).get<double>() + 1e-6 + 2e-6 * largest(expected);
  }

  void check(const tensor& found, const std::string& name) const {
    const auto expected = tensors.load(name);
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST(found.dims() == expected.dims(), boost::test_tools::per_element());
      BOOST_TEST(
          largest_difference(found, expected.as<float>()) <= tolerance(name.substr(0, name.find('.')), expected));
    }
  }

  std::string folder;
  std::shared_ptr<const model::checkpoint> source;
  model::safetensors_file tensors;
  nlohmann::json facts;
};

std::string last_block(const local_model& m) {
  return "block_output." + std::to_string(m.ends->num_blocks() - 1);
}

uint32_t length_of(const tensor& ids) {
  return static_cast<uint32_t>(ids.dim(1));
}

/// Row b alone.
tensor row(const tensor& t, int64_t b) {
  return t.slice(0, b, b + 1);
}

/// Greedy continuation of the ids, which go in pieces of `chunk`, all rows as one session.
std::vector<std::vector<int64_t>> continue_greedily(local_model& m, const tensor& ids, size_t count, int64_t chunk) {
  local_session session(m, static_cast<uint32_t>(ids.dim(0)), length_of(ids) + static_cast<uint32_t>(count));
  std::vector<std::vector<int64_t>> result(static_cast<size_t>(ids.dim(0)));
  auto next = ids;
  for (size_t i = 0; i < count; ++i) {
    const auto best = best_ids(m.ends->logits(session.run_in_chunks(m.ends->embed(next), chunk)));
    for (size_t b = 0; b < best.size(); ++b) result[b].push_back(best[b]);
    next = tensor::of<int64_t>({ids.dim(0), 1}, best);
  }
  return result;
}

}  // namespace

BOOST_DATA_TEST_CASE(ends_agree_with_the_reference, data::make(names), name) {
  const golden g(name);
  const auto m = local_model::load(*g.source);
  g.check(m.ends->embed(g.ids()), "embeddings");
  g.check(m.ends->final_norm(g[last_block(m)]), "final_norm");
  g.check(m.ends->logits(g[last_block(m)]), "logits");
}

BOOST_DATA_TEST_CASE(each_block_agrees_with_the_reference, data::make(names), name) {
  const golden g(name);
  auto m = local_model::load(*g.source, {1, 2, 3});
  auto hidden = g["embeddings"];
  for (size_t i = 0; i < m.spans.size(); ++i) {
    auto& span = *m.spans[i];
    const auto cache = span.reserve(span.blocks(), static_cast<uint32_t>(hidden.dim(0)), length_of(hidden)).value();
    hidden = run_one(span, step_of(cache, 0, hidden));
    g.check(hidden, "block_output." + std::to_string(i));
  }
  g.check(m.ends->logits(hidden), "logits");
}

BOOST_DATA_TEST_CASE(chunks_of_any_size_and_spans_of_any_cut_agree_with_the_reference, data::make(names), name) {
  const golden g(name);
  const auto hidden = g["embeddings"];
  for (const auto& cuts : cuts_of_four_blocks) {
    auto m = local_model::load(*g.source, cuts);
    for (const auto chunk : chunk_sizes) {
      local_session session(m, static_cast<uint32_t>(hidden.dim(0)), length_of(hidden));
      const auto output = session.run_in_chunks(hidden, chunk);
      BOOST_TEST_CONTEXT(cuts.size() + 1 << " spans, chunks of " << chunk) {
        g.check(output, last_block(m));
        g.check(m.ends->logits(output), "logits");
      }
    }
  }
}

BOOST_DATA_TEST_CASE(sessions_of_different_lengths_in_one_pass_agree_with_the_reference, data::make(names), name) {
  const golden g(name);
  auto m = local_model::load(*g.source);
  auto& span = *m.spans[0];
  const auto hidden = g["embeddings"];
  const auto expected = g[last_block(m)];
  const auto T = hidden.dim(1);
  // Session i has i + 1 tokens; then one pass gives the first the rest at once, the second a few, the third a single
  // one.
  std::vector<model::span_step> steps;
  std::vector<std::pair<int64_t, int64_t>> rows;  // of the reference, and the position behind the step
  for (const auto& [b, past, count] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
           {0, 1, T - 1}, {1, 2, 5}, {0, 3, 1}, {1, 0, 4}, {1, T - 1, 1}}) {
    const auto cache = span.reserve(span.blocks(), 1, length_of(hidden)).value();
    if (past > 0) run_one(span, step_of(cache, 0, row(hidden, b).slice(1, 0, past)));
    steps.push_back(step_of(cache, static_cast<uint32_t>(past), row(hidden, b).slice(1, past, past + count)));
    rows.emplace_back(b, past + count);
  }
  const std::atomic<bool> stop{false};
  const auto results = span.run(steps, stop);
  for (size_t i = 0; i < results.size(); ++i) {
    BOOST_TEST_REQUIRE(results[i].error == "");
    const auto wanted = row(expected, rows[i].first).slice(1, steps[i].position, rows[i].second);
    BOOST_TEST(largest_difference(results[i].hidden, wanted.as<float>()) <= g.tolerance("block_output", expected));
  }
}

BOOST_DATA_TEST_CASE(greedy_tokens_are_those_of_the_reference, data::make(names), name) {
  const golden g(name);
  const auto expected = g.facts.at("greedy").get<std::vector<std::vector<int64_t>>>();
  const auto count = expected[0].size();
  for (const auto& cuts : cuts_of_four_blocks) {
    auto m = local_model::load(*g.source, cuts);
    for (const auto chunk : chunk_sizes) BOOST_TEST_CONTEXT(cuts.size() + 1 << " spans, chunks of " << chunk) {
        BOOST_TEST(continue_greedily(m, g.ids(), count, chunk) == expected);
        for (int64_t b = 0; b < g.ids().dim(0); ++b)
          BOOST_TEST(continue_greedily(m, row(g.ids(), b), count, chunk)[0] == expected[static_cast<size_t>(b)]);
      }
  }
}

BOOST_DATA_TEST_CASE(bfloat16_is_near_the_reference, data::make(names), name) {
  const golden g(name);
  auto m = local_model::load(*g.source, {}, test_options(model::dtype::bfloat16));
  const auto hidden = g["embeddings"];
  const auto expected = g["logits"];
  local_session session(m, static_cast<uint32_t>(hidden.dim(0)), length_of(hidden));
  const auto found = m.ends->logits(session.run_in_chunks(hidden, 7));
  double error = 0, all = 0;
  for (size_t i = 0; i < found.as<float>().size(); ++i) {
    error += std::pow(found.as<float>()[i] - expected.as<float>()[i], 2);
    all += std::pow(expected.as<float>()[i], 2);
  }
  BOOST_TEST_MESSAGE(name << ": relative error " << std::sqrt(error / all));
  BOOST_TEST(std::sqrt(error / all) < 0.05);
}

}  // namespace corolla::tests
