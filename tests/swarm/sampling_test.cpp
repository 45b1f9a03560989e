// Sampling as it is asked for on the command line, against the logits that `corolla eval` writes.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "places.hpp"

namespace corolla::tests {

namespace {

namespace data = boost::unit_test::data;

constexpr size_t count = 24;

token_ids prompt() {
  return golden{"llama"}.prompts()[0];
}
token_ids greedy() {
  return golden{"llama"}.greedy()[0];
}

token_ids sample(place where, const std::vector<std::string>& how) {
  return ids_of(tiny_llama().generate(where, with(continuation(prompt(), count), how)));
}

/// What was to be chosen from: the logits before each of the new tokens, and what was there by then.
class choices {
 public:
  explicit choices(const token_ids& ids) : text_{prompt()}, ids_{ids} {
    auto all = text_;
    all.insert(all.end(), ids.begin(), ids.end() - 1);
    logits_ = tiny_llama().logits(all);
  }

  std::vector<float> logits(size_t i) const {
    const auto V = static_cast<size_t>(logits_.dim(1));
    const auto row = logits_.as<float>().subspan((text_.size() - 1 + i) * V, V);
    return {row.begin(), row.end()};
  }
  std::set<int64_t> seen(size_t i) const {
    std::set<int64_t> result{text_.begin(), text_.end()};
    result.insert(ids_.begin(), ids_.begin() + static_cast<ptrdiff_t>(i));
    return result;
  }
  /// Tokens that were likelier than the one chosen.
  size_t rank(size_t i) const {
    const auto row = logits(i);
    const auto chosen = row[static_cast<size_t>(ids_[i])];
    return static_cast<size_t>(std::count_if(row.begin(), row.end(), [&](float x) { return x > chosen; }));
  }
  /// The probability of those tokens at a temperature.
  double mass_above(size_t i, double temperature) const {
    const auto row = logits(i);
    const auto chosen = row[static_cast<size_t>(ids_[i])];
    double above = 0, all = 0;
    for (const auto x : row) {
      const auto weight = std::exp((double{x} - chosen) / temperature);
      all += weight;
      if (x > chosen) above += weight;
    }
    return above / all;
  }

 private:
  token_ids text_, ids_;
  model::tensor logits_;
};

size_t highest_rank(const token_ids& ids) {
  const choices from{ids};
  size_t highest = 0;
  for (size_t i = 0; i < ids.size(); ++i) highest = std::max(highest, from.rank(i));
  return highest;
}

double greatest_mass_above(const token_ids& ids, double temperature) {
  const choices from{ids};
  double greatest = 0;
  for (size_t i = 0; i < ids.size(); ++i) greatest = std::max(greatest, from.mass_above(i, temperature));
  return greatest;
}

/// transformers' RepetitionPenaltyLogitsProcessor.
std::vector<float> penalised(std::vector<float> logits, const std::set<int64_t>& seen, float penalty) {
  for (const auto id : seen) {
    auto& score = logits[static_cast<size_t>(id)];
    score = score < 0 ? score * penalty : score / penalty;
  }
  return logits;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_seed_gives_the_same_tokens_everywhere_and_another_seed_gives_others) {
  const std::vector<std::string> seven{"--temperature", "1", "--seed", "7"};
  const auto here = sample(place::here, seven);
  BOOST_TEST(here != greedy());
  BOOST_TEST(sample(place::here, seven) == here, boost::test_tools::per_element());
  BOOST_TEST(sample(place::in_a_swarm, seven) == here, boost::test_tools::per_element());
  const std::vector<std::string> eight{"--temperature", "1", "--seed", "8"};
  BOOST_TEST(sample(place::here, eight) != here);
  BOOST_TEST(sample(place::in_a_swarm, eight) == sample(place::here, eight), boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(one_candidate_is_the_greedy_one, data::make(both_places), where) {
  const std::vector<std::string> hot{"--temperature", "3", "--seed", "5"};
  BOOST_TEST(sample(where, hot) != greedy());
  BOOST_TEST(sample(where, with(hot, {"--top-k", "1"})) == greedy(), boost::test_tools::per_element());
  BOOST_TEST(sample(where, with(hot, {"--top-p", "0.000001"})) == greedy(), boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(top_k_keeps_so_many_of_the_likeliest, data::make(both_places), where) {
  const std::vector<std::string> hot{"--temperature", "5", "--seed", "3"};
  BOOST_TEST(highest_rank(sample(where, hot)) > 3u);
  const auto kept = highest_rank(sample(where, with(hot, {"--top-k", "3"})));
  BOOST_TEST(kept > 0u);
  BOOST_TEST(kept < 3u);
}

BOOST_DATA_TEST_CASE(top_p_keeps_the_likeliest_that_have_so_much_of_the_probability, data::make(both_places), where) {
  const std::vector<std::string> warm{"--temperature", "1.5", "--seed", "3"};
  BOOST_TEST(greatest_mass_above(sample(where, warm), 1.5) > 0.4);
  const auto kept = greatest_mass_above(sample(where, with(warm, {"--top-p", "0.4"})), 1.5);
  BOOST_TEST(kept > 0.0);
  BOOST_TEST(kept < 0.4 + 1e-5);
}

BOOST_DATA_TEST_CASE(a_repetition_penalty_is_that_of_transformers, data::make(both_places), where) {
  for (const auto penalty : {1.8f, 0.7f}) BOOST_TEST_CONTEXT("a penalty of " << penalty) {
      const auto ids = sample(where, {"--repetition-penalty", std::to_string(penalty)});
      BOOST_TEST(ids != greedy());
      const choices from{ids};
      for (size_t i = 0; i < ids.size(); ++i) {
        const auto scores = penalised(from.logits(i), from.seen(i), penalty);
        auto best = scores;
        std::partial_sort(best.begin(), best.begin() + 2, best.end(), std::greater<>());
        // Where the two best are closer, rounding may choose the other one.
        BOOST_TEST_REQUIRE(best[0] - best[1] > 1e-4);
        BOOST_TEST(scores[static_cast<size_t>(ids[i])] == best[0]);
      }
    }
}

}  // namespace corolla::tests
