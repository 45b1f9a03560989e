#include "runtime/swarm_view.hpp"

#include <boost/test/unit_test.hpp>

using namespace corolla::runtime;

namespace {

using names = std::vector<std::string>;

seen_server serving(std::string peer, uint32_t begin, uint32_t end, std::string state = "online") {
  seen_server result;
  result.peer = std::move(peer);
  result.begin = begin;
  result.end = end;
  result.state = std::move(state);
  return result;
}

void check(const held_blocks& part, uint32_t begin, uint32_t end, const names& peers, const names& leaving = {}) {
  BOOST_TEST(part.begin == begin);
  BOOST_TEST(part.end == end);
  BOOST_TEST(part.peers == peers, boost::test_tools::per_element());
  BOOST_TEST(part.leaving == leaving, boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_CASE(blocks_that_nobody_holds_come_first) {
  const auto parts = holders_of({"m", "", 10, {serving("a", 0, 4), serving("b", 2, 6), serving("c", 8, 9)}});
  BOOST_TEST_REQUIRE(parts.size() == 6u);
  check(parts[0], 6, 8, {});
  check(parts[1], 9, 10, {});
  check(parts[2], 0, 2, {"a"});
  check(parts[3], 2, 4, {"a", "b"});
  check(parts[4], 4, 6, {"b"});
  check(parts[5], 8, 9, {"c"});
}

BOOST_AUTO_TEST_CASE(a_server_that_leaves_takes_no_session_and_is_shown_as_leaving) {
  const auto parts =
      holders_of({"m", "", 8, {serving("a", 0, 4), serving("b", 0, 8, "draining"), serving("c", 2, 4, "joining")}});
  BOOST_TEST_REQUIRE(parts.size() == 2u);
  check(parts[0], 4, 8, {}, {"b"});
  check(parts[1], 0, 4, {"a"}, {"b"});
}

BOOST_AUTO_TEST_CASE(a_model_of_four_billion_blocks_costs_nothing) {
  const auto parts = holders_of({"m", "", UINT32_MAX, {serving("a", 0, 1)}});
  BOOST_TEST_REQUIRE(parts.size() == 2u);
  check(parts[0], 1, UINT32_MAX, {});
}
