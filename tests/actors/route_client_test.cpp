// Clients that are lost, and last hops that lie to them.
#include "tests/actors/chain.hpp"

namespace corolla::tests {

namespace {

constexpr size_t client = 0;

/// A client falls silent so many messages after a step has begun: what servers keep after the silence of a link, and a
/// second.
std::string left_by_client(size_t messages, bool mends) {
  chain c;
  generation g{c.swarm};
  g.open();
  BOOST_TEST(g.forward(13), g.failure);
  c.add_spares();
  if (mends) c.swarm.kill(g.server_of_hop(1));
  g.start(1);
  c.swarm.run(messages);
  c.swarm.stop(client);
  c.swarm.pass(6s);
  return c.left_behind(client);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_client_that_falls_silent_leaves_nothing_behind) {
  for (size_t messages : {0, 10, 20, 40, 80, 160, 320, 1000})
    for (bool mends : {false, true})
      BOOST_TEST(left_by_client(messages, mends) == "", messages << " messages, " << mends);
}

BOOST_AUTO_TEST_CASE(nor_does_one_that_falls_silent_while_it_opens) {
  for (size_t messages = 0; messages < 400; messages += 20) {
    chain c;
    generation g{c.swarm};
    g.start_to_open();
    c.swarm.run(messages);
    c.swarm.stop(client);
    c.swarm.pass(6s);
    BOOST_TEST(c.left_behind(client) == "", "after " << messages << " messages");
  }
}

// -- outputs --------------------------------------------------------------------------------------------------------

namespace {

/// A route of three hops, five tokens and the lies that its last hop may tell.
struct lied_to {
  chain c{5ms};
  generation g{c.swarm};
  step lie;

  lied_to() {
    g.open();
    BOOST_TEST(g.forward(5), g.failure);
    lie.epoch = 1;
    lie.seq = g.sent() + 1;
    lie.from = c.swarm.peer(g.server_of_hop(2));
    lie.hidden = model::tensor::of<float>({1, 1, virtual_swarm::hidden_size}, std::vector<float>(4));
  }
  /// What the route says to it while a step is under way, which then comes right.
  std::string answer() {
    answer_ptr<taken> told;
    BOOST_TEST(
        g.forward(
            1, {}, 0,
            [&] {
              told = g.forge(lie);
              c.swarm.time().settle();
            }),
        g.failure);
    return told->text();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_output_of_a_step_that_was_not_sent_is_refused, lied_to) {
  c.add_spares();
  c.swarm.kill(g.server_of_hop(1));
  c.swarm.pass(6ms);
  // A step that truncates waits until the chain is whole again.
  g.roll_back(3);
  BOOST_TEST(answer() == "stale: an output of a step that was not sent");
  BOOST_TEST(g.forward(1), g.failure);
}

BOOST_FIXTURE_TEST_CASE(so_is_one_that_is_not_the_next, lied_to) {
  ++lie.seq;
  BOOST_TEST(answer() == "gap: outputs come in order");
}

BOOST_FIXTURE_TEST_CASE(one_of_another_edge, lied_to) {
  ++lie.epoch;
  BOOST_TEST(answer() == "stale: of an edge that is not in force");
}

BOOST_FIXTURE_TEST_CASE(one_of_another_server, lied_to) {
  lie.from = c.swarm.peer(g.server_of_hop(1));
  BOOST_TEST(answer() == "not_yours: not from the last hop");
}

BOOST_FIXTURE_TEST_CASE(and_one_that_nobody_waits_for, lied_to) {
  const auto told = g.forge(lie);
  c.swarm.time().settle();
  BOOST_TEST(told->text() == "stale: nothing is awaited");
  BOOST_TEST(g.forward(1), g.failure);
}

BOOST_FIXTURE_TEST_CASE(one_that_came_before_is_taken_and_not_looked_at, lied_to) {
  --lie.seq;
  BOOST_TEST(answer() == "a value");
}

}  // namespace corolla::tests
