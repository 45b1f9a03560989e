#include "actors/policy/ring.hpp"

#include <numeric>
#include <random>
#include <set>

#include <boost/test/unit_test.hpp>

namespace corolla::tests {

using actors::policy::successors;
using ids = std::vector<int>;

BOOST_AUTO_TEST_SUITE(policy_ring)

BOOST_AUTO_TEST_CASE(the_next_ids_follow_around_the_circle) {
  BOOST_TEST(successors(5, ids{9, 1, 5, 7, 7, 3}, 2) == (ids{7, 9}));
  BOOST_TEST(successors(9, ids{9, 1, 5, 7, 3}, 2) == (ids{1, 3}));
  BOOST_TEST(successors(4, ids{}, 2) == ids{});
  BOOST_TEST(successors(4, ids{4, 2}, 2) == ids{2});
}

BOOST_AUTO_TEST_CASE(without_any_one_the_others_hold_together) {
  for (int size = 2; size <= 12; ++size) {
    ids all(size);
    std::iota(all.begin(), all.end(), 0);
    for (int lost = 0; lost < size; ++lost) {
      std::set<int> reached{lost == 0 ? 1 : 0};
      for (int round = 0; round < size; ++round)
        for (auto a : all)
          for (auto b : successors(a, all, 2)) {
            if (a == lost || b == lost) continue;
            if (reached.contains(a)) reached.insert(b);
            if (reached.contains(b)) reached.insert(a);
          }
      BOOST_TEST(static_cast<int>(reached.size()) == size - 1, "without " << lost << " of " << size);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
