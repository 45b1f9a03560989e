// Routes that are opened while servers are gone, silent, or on their way.
#include "tests/actors/chain.hpp"

namespace corolla::tests {

namespace {

/// Seconds that an opening took.
double seconds_to_open(virtual_swarm& swarm, generation& g) {
  const auto begun = swarm.time().clock().now();
  g.open();
  return std::chrono::duration<double>(swarm.time().clock().now() - begun).count();
}

}  // namespace

BOOST_AUTO_TEST_CASE(servers_that_are_gone_are_passed_over_however_many_they_are) {
  chain c;
  for (int i = 0; i < 12; ++i) c.swarm.kill(c.swarm.add({0, 6}));
  generation g{c.swarm};
  BOOST_TEST(seconds_to_open(c.swarm, g) < 15);
  BOOST_TEST(g.forward(9), g.failure);
  BOOST_TEST(g.status().hops.size() == 3u);
  g.close();
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(so_are_they_where_a_hop_is_replaced) {
  chain c;
  generation g{c.swarm};
  g.open();
  BOOST_TEST(g.forward(9), g.failure);
  for (int i = 0; i < 12; ++i) c.swarm.kill(c.swarm.add({2, 4}));
  c.swarm.add({2, 3});
  c.swarm.add({3, 4});
  BOOST_TEST(g.forward(1, {}, 0, [&] { c.swarm.kill(2); }), g.failure);
  BOOST_TEST(g.status().hops.size() == 4u);
}

BOOST_AUTO_TEST_CASE(another_server_is_tried_before_one_that_does_not_answer_is_given_up) {
  for (int silent = 1; silent < 3; ++silent) BOOST_TEST_CONTEXT(silent << " silent servers") {
      chain c;
      for (int i = 0; i < silent; ++i) c.swarm.stop(c.swarm.add({0, 6}));
      generation g{c.swarm};
      // Two seconds for each, and once the time in which ways are measured.
      BOOST_TEST(seconds_to_open(c.swarm, g) < 0.31 + 2 * silent);
      BOOST_TEST(g.forward(9), g.failure);
      // What they open once they go on again is closed.
      for (size_t i = 4; i < c.swarm.size(); ++i) c.swarm.resume(i);
      g.close();
      c.check_empty();
    }
}

BOOST_AUTO_TEST_CASE(an_opening_waits_for_a_server_that_does_not_answer_yet) {
  chain c;
  c.swarm.stop(2);
  generation g{c.swarm};
  g.options.step_timeout = 20s;
  auto opened = g.start_to_open();
  c.swarm.pass(12s);
  BOOST_TEST(opened->pending());
  c.swarm.resume(2);
  c.swarm.pass(5s);
  BOOST_TEST(!opened->pending());
  BOOST_TEST(opened->text() == "a value");
  BOOST_TEST(g.forward(9), g.failure);
  g.close();
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(an_opening_goes_on_when_a_server_joins) {
  chain c;
  c.swarm.kill(2);
  generation g{c.swarm};
  auto opened = g.start_to_open();
  c.swarm.pass(10s);
  BOOST_TEST(opened->pending());
  c.swarm.add({2, 4});
  c.swarm.time().settle();
  BOOST_TEST(opened->text() == "a value");
  BOOST_TEST(g.forward(9), g.failure);
}

BOOST_AUTO_TEST_CASE(its_time_has_an_end) {
  chain c;
  c.swarm.stop(2);
  generation g{c.swarm};
  const auto begun = c.swarm.time().clock().now();
  const auto failure = g.open_fails();
  BOOST_TEST((c.swarm.time().clock().now() - begun == 60s));
  BOOST_TEST(failure.find("no route was opened within 60000 ms: ") != std::string::npos, failure);
  BOOST_TEST(failure.find("server " + c.swarm.peer(2).to_string()) != std::string::npos, failure);
  c.swarm.resume(2);
  g.close();
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(blocks_that_nobody_serves_are_told_at_once) {
  virtual_swarm swarm;
  swarm.add({0, 2});
  generation g{swarm};
  const auto begun = swarm.time().clock().now();
  BOOST_TEST(g.open_fails() == "missing_blocks: blocks 2:6 have no server");
  BOOST_TEST((swarm.time().clock().now() == begun));
}

}  // namespace corolla::tests
