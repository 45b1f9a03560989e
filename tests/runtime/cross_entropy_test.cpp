#include "runtime/cross_entropy.hpp"

#include <cmath>
#include <vector>

#include <boost/test/unit_test.hpp>

using namespace corolla;

namespace {

runtime::text_score score(model::shape dims, std::vector<float> logits, std::vector<int64_t> ids) {
  const auto B = dims[0], S = dims[1];
  return runtime::score(
      model::tensor::of<float>(std::move(dims), logits),
      model::tensor::of<int64_t>({B, S}, std::span<const int64_t>{ids}));
}

}  // namespace

BOOST_AUTO_TEST_CASE(equal_logits_score_the_logarithm_of_the_vocabulary) {
  const auto text = score({1, 3, 4}, std::vector<float>(12, 7.0f), {0, 1, 2});
  BOOST_TEST(text.tokens == 2);
  BOOST_TEST(text.cross_entropy == std::log(4.0), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(text.perplexity() == 4.0, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(the_logits_at_a_position_foretell_the_next_id_of_the_same_row) {
  // Row 0: p(1) = e / (e + 1); row 1: p(0) = 1 / (e + 1).
  const auto text = score({2, 2, 2}, {0, 1, 50, 0, 0, 1, 0, 50}, {0, 1, 1, 0});
  const auto e = std::exp(1.0);
  BOOST_TEST(text.tokens == 2);
  BOOST_TEST(text.cross_entropy == (std::log((e + 1) / e) + std::log(e + 1)) / 2, boost::test_tools::tolerance(1e-7));
}

BOOST_AUTO_TEST_CASE(large_logits_do_not_overflow) {
  const auto text = score({1, 2, 2}, {1e30f, -1e30f, 0, 0}, {0, 0});
  BOOST_TEST(text.cross_entropy == 0.0);
}

BOOST_AUTO_TEST_CASE(a_text_of_one_token_foretells_nothing) {
  const auto text = score({2, 1, 2}, {1, 2, 3, 4}, {0, 1});
  BOOST_TEST(text.tokens == 0);
  BOOST_TEST(text.cross_entropy == 0.0);
}
