// Two things at a time, beside each other: losses while something else moves, edges that break one after the other, and
// servers that cannot reach each other.
#include "tests/actors/chain.hpp"

namespace corolla::tests {

namespace {

struct beside {
  chain c;
  generation g{c.swarm};
  virtual_swarm& swarm = c.swarm;

  beside() {
    g.open();
    BOOST_TEST(g.forward(13), g.failure);
    for (int i = 0; i < 3; ++i) BOOST_TEST(g.forward(1), g.failure);
  }
  void check_nothing_left() {
    g.close();
    c.check_empty();
  }
  /// The next token, and how long it took.
  std::chrono::duration<double> timed_forward(const std::function<void()>& fault, size_t messages = 0) {
    const auto begun = swarm.time().clock().now();
    BOOST_TEST(g.forward(1, {}, messages, fault), g.failure);
    return swarm.time().clock().now() - begun;
  }
};

}  // namespace

// -- losses beside moves --------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_loss_does_not_wait_for_a_move_elsewhere, beside) {
  c.add_spares();
  swarm.slow_down(4, 400ms);  // the only one that the first hop can go to
  const auto leaver = g.server_of_hop(0), lost = g.server_of_hop(2);
  swarm.drain(leaver);
  swarm.pass(1s);  // the hand-over has begun
  BOOST_TEST(swarm.is_alive(leaver));
  BOOST_TEST(timed_forward([&] { swarm.kill(lost); }).count() < 1);
  BOOST_TEST(g.server_of_hop(2) != lost);
  swarm.pass(10s);
  BOOST_TEST(!swarm.is_alive(leaver));
  BOOST_TEST(g.forward(1), g.failure);
  BOOST_TEST(g.check_counters() == "");
  check_nothing_left();
}

BOOST_FIXTURE_TEST_CASE(nor_does_an_edge, beside) {
  c.add_spares();
  swarm.slow_down(4, 400ms);
  const auto leaver = g.server_of_hop(0), one = g.server_of_hop(1), other = g.server_of_hop(2);
  swarm.drain(leaver);
  swarm.pass(1s);
  BOOST_TEST(swarm.is_alive(leaver));
  BOOST_TEST(timed_forward([&] { swarm.cut_between(one, other); }).count() < 1);
  BOOST_TEST(g.server_of_hop(2) == other);
  BOOST_TEST(g.audit()[2].restored == 0u);
  swarm.pass(10s);
  BOOST_TEST(!swarm.is_alive(leaver));
  check_nothing_left();
}

BOOST_AUTO_TEST_CASE(a_resting_move_that_loses_its_target_begins_again) {
  for (size_t later = 0; later <= 400; later += 10) BOOST_TEST_CONTEXT("after " << later << " messages") {
      beside f;
      f.c.add_spares();
      f.c.add_spares();
      const auto leaver = f.g.server_of_hop(1);
      f.swarm.drain(leaver);
      f.swarm.run(later);
      for (const size_t spare : {5, 8})
        if (f.swarm.used_tokens(spare) > 0) {
          f.swarm.kill(spare);
          break;
        }
      // Long before its patience ends.
      f.swarm.pass(1s);
      BOOST_TEST(!f.swarm.is_alive(leaver));
      BOOST_TEST(f.g.forward(1), f.g.failure);
      f.check_nothing_left();
    }
}

BOOST_FIXTURE_TEST_CASE(who_has_nobody_to_go_to_does_not_ask_with_every_token, beside) {
  c.add_spares(/*cache_tokens=*/1);
  swarm.drain(g.server_of_hop(1));
  for (int i = 0; i < 30; ++i) BOOST_TEST(g.forward(1), g.failure);
  BOOST_TEST(swarm.status(5).refused_opens >= 1u);
  BOOST_TEST(swarm.status(5).refused_opens <= 3u);
}

// -- edges ----------------------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(two_edges_that_break_one_after_the_other_cost_no_hop, beside) {
  const auto first = g.server_of_hop(0), second = g.server_of_hop(1), third = g.server_of_hop(2);
  timed_forward([&] { swarm.cut_between(first, second); });
  swarm.pass(5s);
  timed_forward([&] { swarm.cut_between(second, third); });
  for (const auto& hop : g.audit()) BOOST_TEST(hop.restored == 0u);
  // The same one so soon again takes its receiver with it.
  c.add_spares();
  timed_forward([&] { swarm.cut_between(second, third); });
  BOOST_TEST(g.server_of_hop(2) != third);
  BOOST_TEST(g.server_of_hop(1) == second);
  BOOST_TEST(g.check_counters() == "");
  check_nothing_left();
}

BOOST_FIXTURE_TEST_CASE(an_edge_that_breaks_with_a_hop_elsewhere_is_replaced_and_not_its_receiver, beside) {
  c.add_spares();
  const auto first = g.server_of_hop(0), second = g.server_of_hop(1), third = g.server_of_hop(2);
  timed_forward([&] {
    swarm.cut_between(first, second);
    swarm.kill(third);
  });
  BOOST_TEST(g.server_of_hop(1) == second);
  BOOST_TEST(g.audit()[1].restored == 0u);
  BOOST_TEST(g.check_counters() == "");
  check_nothing_left();
}

// -- ways that are not there ----------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_hop_that_cannot_reach_the_only_substitute_behind_it_joins_the_gap, beside) {
  c.add_spares();
  const auto source = g.server_of_hop(0), lost = g.server_of_hop(1);
  swarm.part(source, 5);
  BOOST_TEST(timed_forward([&] { swarm.kill(lost); }).count() < 10);
  BOOST_TEST(g.server_of_hop(0) == 4u);
  BOOST_TEST(g.server_of_hop(1) == 5u);
  BOOST_TEST(g.check_counters() == "");
  check_nothing_left();
}

BOOST_FIXTURE_TEST_CASE(so_does_one_that_the_only_substitute_before_it_cannot_reach, beside) {
  c.add_spares();
  const auto lost = g.server_of_hop(1), sink = g.server_of_hop(2);
  swarm.part(5, sink);
  BOOST_TEST(timed_forward([&] { swarm.kill(lost); }).count() < 10);
  BOOST_TEST(g.server_of_hop(1) == 5u);
  BOOST_TEST(g.server_of_hop(2) == 6u);
  BOOST_TEST(g.check_counters() == "");
  check_nothing_left();
}

BOOST_FIXTURE_TEST_CASE(whoever_waits_for_a_hop_that_is_silent_is_not_banned_for_it, beside) {
  c.add_spares();
  c.add_spares();
  const auto lost = g.server_of_hop(1), silent = g.server_of_hop(2);
  timed_forward([&] {
    swarm.stop(silent);
    swarm.kill(lost);
  });
  for (const auto& peer : swarm.banned()) {
    const auto server = swarm.server_of(peer);
    BOOST_TEST((server == lost || server == silent), "server " << server << " is banned");
  }
  BOOST_TEST(g.forward(1), g.failure);
}

}  // namespace corolla::tests
