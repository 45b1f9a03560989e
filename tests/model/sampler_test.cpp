#include "model/sampler.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>

#include <boost/test/unit_test.hpp>

using namespace corolla::model;

namespace {

using logits_t = std::vector<float>;
using history_t = std::vector<int64_t>;

sampling_params params(float temperature, int32_t top_k, float top_p, float penalty = 1, uint64_t seed = 0) {
  sampling_params p;
  p.temperature = temperature;
  p.top_k = top_k;
  p.top_p = top_p;
  p.repetition_penalty = penalty;
  p.seed = seed;
  return p;
}

std::vector<double> probabilities(const logits_t& scores, const sampling_params& p) {
  std::vector<double> result(scores.size());
  double total = 0;
  const auto tokens = distribution(scores, p);
  for (const auto& t : tokens) total += t.weight;
  for (const auto& t : tokens) result.at(static_cast<size_t>(t.id)) = t.weight / total;
  return result;
}

/// How often each id comes, of `draws`.
std::vector<int> frequencies(const logits_t& logits, const history_t& history, const sampling_params& p, int draws) {
  std::vector<int> count(logits.size());
  sampler s(p);
  for (int i = 0; i < draws; ++i) ++count.at(static_cast<size_t>(s.next(logits, history).id));
  return count;
}

const logits_t example = {1.5f, -0.75f, 3.0f, 0.25f, -2.0f, 3.0f, 2.25f, 0.0f};

/// The text that may be shown, from a search in the whole of it.
std::string shown_by_search(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const auto& stop : stops)
      if (std::string_view(text).substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    if (longest > 0) return text.substr(0, end - longest);
  }
  return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sampling)

// The expected probabilities follow transformers' logits processors, computed in double precision.
BOOST_AUTO_TEST_CASE(keeps_what_hugging_face_keeps_with_the_same_probabilities) {
  struct expectation {
    sampling_params p;
    std::vector<double> probabilities;
  };
  const expectation all[] = {
      {params(0.5f, 0, 1),
       {0.02183565549, 0.0002425722212, 0.4385808646, 0.001792379751, 1.991154045e-05, 0.4385808646, 0.09786061855,
        0.001087133273}},
      {params(1, 3, 1), {0, 0, 0.4044707687, 0, 0, 0.4044707687, 0.1910584627, 0}},
      {params(1, 1, 1), {0, 0, 0.5, 0, 0, 0.5, 0, 0}},  // equals of the k-th stay
      {params(1.5f, 99, 1),
       {0.1086028121, 0.02423256285, 0.2952130505, 0.04719858756, 0.0105314284, 0.2952130505, 0.1790557663,
        0.03995274181}},
      {params(1, 0, 0.6f), {0, 0, 0.5, 0, 0, 0.5, 0, 0}},
      {params(0.7f, 0, 0.9f), {0, 0, 0.4268909075, 0, 0, 0.4268909075, 0.1462181849, 0}},
      {params(1, 0, 0.01f), {0, 0, 0, 0, 0, 1, 0, 0}},
  };
  for (const auto& e : all) {
    const auto got = probabilities(example, e.p);
    for (size_t i = 0; i < got.size(); ++i)
      BOOST_TEST_CONTEXT(
          "temperature " << e.p.temperature << ", top_k " << e.p.top_k << ", top_p " << e.p.top_p << ", id " << i)
    BOOST_TEST(std::abs(got[i] - e.probabilities[i]) < 1e-7);
  }
}

BOOST_AUTO_TEST_CASE(draws_each_token_as_often_as_its_probability_says) {
  // Repetition penalty 1.3 over 5, 0 and 1, temperature 0.8, top_k 5, top_p 0.75.
  const std::vector<double> expected = {0, 0, 0.5517255785, 0, 0, 0.2322155806, 0.2160588409, 0};
  const int draws = 20000;
  const auto count = frequencies(example, {5, 0, 1}, params(0.8f, 5, 0.75f, 1.3f, /*seed=*/7), draws);
  double chi_square = 0;
  for (size_t i = 0; i < count.size(); ++i) {
    if (expected[i] == 0)
      BOOST_TEST(count[i] == 0);
    else
      chi_square += std::pow(count[i] - expected[i] * draws, 2) / (expected[i] * draws);
  }
  BOOST_TEST(chi_square < 13.8);  // two degrees of freedom: one in a thousand seeds exceeds this
}

BOOST_AUTO_TEST_CASE(penalises_what_has_been_said_once_for_each_id) {
  const std::vector<double> expected = {0.1016198812,   0.007361319503, 0.1675428596, 0.02911458342,
                                        0.001128894908, 0.4554287108,   0.2151292902, 0.02267446036};
  const int draws = 40000;
  const auto count = frequencies(example, {2, 2, 1, 4}, params(1, 0, 1, 1.5f, /*seed=*/3), draws);
  double chi_square = 0;
  for (size_t i = 0; i < count.size(); ++i)
    chi_square += std::pow(count[i] - expected[i] * draws, 2) / (expected[i] * draws);
  BOOST_TEST(chi_square < 24.3);  // seven degrees of freedom, one in a thousand
}

BOOST_AUTO_TEST_CASE(is_greedy_at_temperature_0_and_prefers_the_lower_of_equals) {
  sampler plain(params(0, 0, 1));
  BOOST_TEST(plain.next(example, {}).id == 2);
  BOOST_TEST(plain.next(logits_t{-3, -1, -1}, {}).id == 1);
  BOOST_TEST(plain.next(logits_t{-3}, {}).id == 0);
  sampler penalised(params(0, 0, 1, 2));
  BOOST_TEST(penalised.next(example, history_t{2}).id == 5);
  BOOST_TEST(penalised.next(example, history_t{2, 5}).id == 6);
  BOOST_TEST(penalised.next(logits_t{-1, -1.5f}, history_t{0}).id == 1);  // the penalty multiplies what is negative
  sampler rewarded(params(0, 0, 1, 0.5f));
  BOOST_TEST(rewarded.next(example, history_t{6}).id == 6);
}

BOOST_AUTO_TEST_CASE(gives_the_margin_of_the_raw_logits) {
  sampler s(params(0, 0, 1, 2));
  BOOST_TEST(s.next(logits_t{1, 4, 2.5f}, history_t{1}).margin == 1.5f);
  BOOST_TEST(s.next(logits_t{4, 1, 2.5f}, history_t{}).margin == 1.5f);
  BOOST_TEST(s.next(example, history_t{}).margin == 0);
  BOOST_TEST(s.next(logits_t{1}, history_t{}).margin == std::numeric_limits<float>::max());
}

BOOST_AUTO_TEST_CASE(ignores_ids_in_the_history_that_are_no_tokens) {
  sampler s(params(0, 0, 1, 2));
  BOOST_TEST(s.next(example, history_t{-1, 8, INT64_MAX}).id == 2);
}

// The numbers were written by this code: they change when a machine, or a change of the code, draws differently.
BOOST_AUTO_TEST_CASE(gives_the_same_ids_on_every_machine) {
  logits_t logits(1000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>((i * 7919) % 1000) / 128.0f;
  sampler s(params(0.9f, 0, 0.95f, 1.1f, /*seed=*/42));
  history_t history;
  for (int i = 0; i < 12; ++i) history.push_back(s.next(logits, history).id);
  const history_t expected = {951, 50, 272, 879, 531, 830, 544, 310, 619, 705, 4, 754};
  BOOST_TEST(history == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(depends_on_the_seed_alone) {
  const logits_t flat(100, 0.0f);
  const auto run = [&](uint64_t seed) {
    sampler s(params(1, 0, 1, 1, seed));
    history_t ids;
    for (int i = 0; i < 20; ++i) ids.push_back(s.next(flat, ids).id);
    return ids;
  };
  BOOST_TEST(run(5) == run(5));
  BOOST_TEST((run(5) != run(6)));
}

BOOST_AUTO_TEST_CASE(survives_the_extremes_of_its_parameters) {
  sampler cold(params(1e-30f, 0, 1));
  BOOST_TEST(cold.next(logits_t{1, 2, 3}, history_t{}).id == 2);
  const float huge = std::numeric_limits<float>::max();
  sampler strong(params(1, 0, 0.5f, 1e30f));
  BOOST_TEST(strong.next(logits_t{-huge, huge, 1}, history_t{0}).id == 1);
}

BOOST_AUTO_TEST_CASE(refuses_logits_that_are_not_finite) {
  for (const float bad : {NAN, INFINITY, -INFINITY})
    for (const float temperature : {0.0f, 1.0f}) {
      sampler s(params(temperature, 0, 1));
      BOOST_CHECK_THROW(s.next(logits_t{1, bad, 2}, history_t{}), std::invalid_argument);
    }
  sampler s(params(0, 0, 1));
  BOOST_CHECK_THROW(s.next(logits_t{}, history_t{}), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(refuses_parameters_out_of_range_by_name) {
  const auto refuse = [](const sampling_params& p, const std::string& name) {
    const auto named = [&](const std::invalid_argument& e) { return std::string(e.what()).starts_with(name); };
    BOOST_CHECK_EXCEPTION(check(p), std::invalid_argument, named);
    BOOST_CHECK_EXCEPTION(sampler{p}, std::invalid_argument, named);
  };
  for (const float bad : {-0.1f, NAN, INFINITY}) refuse(params(bad, 0, 1), "temperature");
  refuse(params(1, -1, 1), "top_k");
  for (const float bad : {0.0f, -1.0f, 1.1f, NAN}) refuse(params(1, 0, bad), "top_p");
  for (const float bad : {0.0f, -1.0f, NAN, INFINITY}) refuse(params(1, 0, 1, bad), "repetition_penalty");
  check(params(0, 0, 1));
  check(params(2, 50, 0.1f, 1.2f));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(stop_strings)

BOOST_AUTO_TEST_CASE(are_found_across_pieces_and_never_shown) {
  stop_matcher m({"STOP", "\n\n"});
  BOOST_TEST(m.push("go on ST") == "go on ");
  BOOST_TEST(m.push("A") == "STA");
  BOOST_TEST(m.push("\n") == "");
  BOOST_TEST(m.push("x") == "\nx");
  BOOST_TEST(!m.stopped());
  BOOST_TEST(m.push("yS") == "y");
  BOOST_TEST(m.push("TOP and more") == "");
  BOOST_TEST(m.stopped());
  BOOST_TEST(m.push("later") == "");
  BOOST_TEST(m.finish() == "");
}

BOOST_AUTO_TEST_CASE(give_back_what_was_held_when_the_text_ends) {
  stop_matcher m({"abc"});
  BOOST_TEST(m.push("xab") == "x");
  BOOST_TEST(m.finish() == "ab");
}

BOOST_AUTO_TEST_CASE(that_are_empty_or_none_stop_nothing) {
  stop_matcher none({});
  BOOST_TEST(none.push("abc") == "abc");
  stop_matcher empty({""});
  BOOST_TEST(empty.push("abc") == "abc");
  BOOST_TEST(!empty.stopped());
}

BOOST_AUTO_TEST_CASE(are_found_as_a_search_in_the_whole_text_finds_them) {
  std::mt19937_64 random(1);
  const auto word = [&random](size_t longest) {
    std::string result(random() % (longest + 1), ' ');
    for (auto& c : result) c = static_cast<char>('a' + random() % 3);
    return result;
  };
  int stopped = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> stops(random() % 4);
    for (auto& s : stops) s = word(5);
    const auto text = word(30);
    stop_matcher m(stops);
    std::string shown;
    for (size_t at = 0; at < text.size();) {
      const auto size = std::min<size_t>(1 + random() % 6, text.size() - at);
      shown += m.push(text.substr(at, size));
      at += size;
    }
    shown += m.finish();
    BOOST_TEST_REQUIRE(shown == shown_by_search(text, stops));
    stopped += m.stopped();
  }
  BOOST_TEST(stopped > 1000);
}

BOOST_AUTO_TEST_SUITE_END()
