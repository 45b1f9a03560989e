#include "actors/policy/recent_median.hpp"

#include <boost/test/unit_test.hpp>

namespace corolla::tests {

BOOST_AUTO_TEST_CASE(the_median_is_of_the_latest_64_values) {
  actors::policy::recent_median recent;
  BOOST_TEST(recent.get() == 0u);
  recent.add(5);
  BOOST_TEST(recent.get() == 5u);
  for (const auto value : {9u, 1u}) recent.add(value);
  BOOST_TEST(recent.get() == 5u);
  recent.add(7);
  BOOST_TEST(recent.get() == 7u);
  for (uint32_t i = 0; i < 64; ++i) recent.add(100 + i);
  BOOST_TEST(recent.get() == 132u);
}

}  // namespace corolla::tests
