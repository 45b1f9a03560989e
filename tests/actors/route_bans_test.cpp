// What one route meets, the next plans of its client take into account.
#include "tests/actors/chain.hpp"

namespace corolla::tests {

namespace {

/// Two servers of all blocks, and routes of one token each.
struct two_servers {
  virtual_swarm swarm;

  two_servers() {
    swarm.add({0, 6});
    swarm.add({0, 6});
  }
  /// Where a new route goes.
  size_t choice() {
    generation g{swarm};
    g.open();
    BOOST_TEST(g.forward(1), g.failure);
    return g.server_of_hop(0);
  }
  /// A route that `fault` befalls under way; which server had it.
  size_t lose_one(const std::function<void(size_t)>& fault) {
    generation g{swarm};
    g.open();
    BOOST_TEST(g.forward(3), g.failure);
    const auto server = g.server_of_hop(0);
    BOOST_TEST(g.forward(1, {}, 0, [&] { fault(server); }), g.failure);
    BOOST_TEST(g.server_of_hop(0) != server);
    return server;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_server_whose_link_was_lost_is_left_alone_for_a_while, two_servers) {
  const auto lost = lose_one([&](size_t server) { swarm.cut_between(0, server); });
  swarm.announce(lost);
  BOOST_TEST(choice() != lost);
  swarm.pass(14s);
  BOOST_TEST(choice() != lost);
  swarm.pass(2s);
  BOOST_TEST(choice() == lost);  // the two are alike, and it was the first choice before
}

BOOST_FIXTURE_TEST_CASE(so_is_one_that_failed_by_itself, two_servers) {
  const auto failed = lose_one([&](size_t server) { swarm.fail_once(server); });
  BOOST_TEST(choice() != failed);
}

BOOST_FIXTURE_TEST_CASE(where_nobody_else_is_it_is_used_all_the_same, two_servers) {
  const auto lost = lose_one([&](size_t server) { swarm.cut_between(0, server); });
  swarm.announce(lost);
  swarm.kill(3 - lost);
  BOOST_TEST(choice() == lost);
}

BOOST_FIXTURE_TEST_CASE(one_that_does_not_answer_an_opening_costs_the_next_nothing, two_servers) {
  const auto first = choice();
  swarm.stop(first);
  const auto begun = swarm.time().clock().now();
  BOOST_TEST(choice() != first);
  BOOST_TEST((swarm.time().clock().now() - begun >= 2s));
  const auto again = swarm.time().clock().now();
  BOOST_TEST(choice() != first);
  BOOST_TEST((swarm.time().clock().now() - again < 100ms));
}

}  // namespace corolla::tests
