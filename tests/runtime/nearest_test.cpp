#include "runtime/nearest.hpp"

#include <vector>

#include <boost/test/unit_test.hpp>

using namespace corolla::runtime;

BOOST_AUTO_TEST_CASE(distance_counts_insertions_deletions_substitutions_and_swaps) {
  BOOST_TEST(edit_distance("", "") == 0u);
  BOOST_TEST(edit_distance("port", "port") == 0u);
  BOOST_TEST(edit_distance("", "port") == 4u);
  BOOST_TEST(edit_distance("prt", "port") == 1u);
  BOOST_TEST(edit_distance("porrt", "port") == 1u);
  BOOST_TEST(edit_distance("pirt", "port") == 1u);
  BOOST_TEST(edit_distance("prot", "port") == 1u);
  BOOST_TEST(edit_distance("kitten", "sitting") == 3u);
}

BOOST_AUTO_TEST_CASE(the_candidate_with_the_least_distance_is_nearest_and_the_first_of_equals) {
  const std::vector<std::string> words{"node", "generate", "eval", "keys"};
  BOOST_TEST(nearest("genrate", words) == "generate");
  BOOST_TEST(nearest("key", words) == "keys");
  const std::vector<std::string> equals{"aa", "bb"};
  BOOST_TEST(nearest("ab", equals) == "aa");
  BOOST_TEST(nearest("x", std::vector<std::string>{}) == "");
}
