// A node that loses an actor of its own says so and ends; the swarm goes on without it.
#include <boost/test/unit_test.hpp>

#include "tests/actors/route_fixture.hpp"

namespace corolla::tests {

BOOST_AUTO_TEST_CASE(a_node_whose_blocks_fail_ends_and_is_replaced) {
  virtual_swarm swarm;
  const auto first = swarm.add({0, 3}), other = swarm.add({0, 3});
  swarm.add({3, 6});
  generation g{swarm};
  g.open();
  BOOST_TEST(g.forward(17));
  const auto broken = g.server_of_hop(0);
  const auto spare = broken == first ? other : first;
  BOOST_TEST(!swarm.end_of(broken));
  swarm.break_block(broken);
  BOOST_TEST(g.forward(1), g.failure);
  BOOST_TEST(g.server_of_hop(0) == spare);
  const auto end = swarm.end_of(broken);
  BOOST_TEST_REQUIRE(end.has_value());
  BOOST_TEST(sentence(*end).starts_with("the blocks of this node failed: "), sentence(*end));
  BOOST_TEST(!swarm.end_of(spare));
  // It has told the swarm: nobody plans with it any more.
  generation next{swarm};
  next.open();
  BOOST_TEST(next.server_of_hop(0) == spare);
}

}  // namespace corolla::tests
