// Sessions that move to a better route while they run.
#include "tests/actors/chain.hpp"

namespace corolla::tests {

namespace {

/// One that takes long enough for every look that there may be.
void go_on(chain& c, generation& g, uint32_t tokens) {
  for (uint32_t i = 0; i < tokens; ++i) {
    c.swarm.pass(4s);
    BOOST_TEST_REQUIRE(g.forward(1), g.failure);
  }
}

/// A route over three servers that has begun, of which the middle one is slow from now on.
struct slow_middle {
  chain c;
  generation g{c.swarm};

  slow_middle() {
    g.open();
    BOOST_TEST(g.forward(9), g.failure);
    c.swarm.announce(2, 10);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_slow_hop_hands_over_to_a_fast_one, slow_middle) {
  const auto fast = c.swarm.add({2, 4});
  go_on(c, g, 12);
  BOOST_TEST(g.server_of_hop(1) == fast);
  const auto recoveries = g.status().recoveries;
  BOOST_REQUIRE(recoveries.size() == 1u);
  BOOST_TEST(recoveries[0].moved);
  BOOST_TEST(recoveries[0].handed_over);
  BOOST_TEST((recoveries[0].blocks == model::block_range{2, 4}));
  const auto audit = g.audit();
  BOOST_TEST((audit[0].restored == 0u && audit[2].restored == 0u));
  g.close();
  c.check_empty();
}

BOOST_FIXTURE_TEST_CASE(nobody_moves_to_what_is_only_a_little_better, slow_middle) {
  c.swarm.announce(c.swarm.add({2, 4}), 15);
  go_on(c, g, 12);
  BOOST_TEST(g.server_of_hop(1) == 2u);
  BOOST_TEST(g.status().recoveries.empty());
}

BOOST_FIXTURE_TEST_CASE(nor_to_a_server_that_is_full, slow_middle) {
  c.swarm.add({2, 4}, /*cache_tokens=*/32);
  go_on(c, g, 12);
  BOOST_TEST(g.server_of_hop(1) == 2u);
}

BOOST_FIXTURE_TEST_CASE(nor_to_one_that_is_banned_as_long_as_it_is, slow_middle) {
  const auto fast = c.swarm.add({2, 4});
  // For 15 seconds, for 30, for 60.
  for (int offence = 0; offence < 3; ++offence) {
    c.swarm.ban(fast);
    c.swarm.pass(2s);
  }
  go_on(c, g, 12);
  BOOST_TEST(g.server_of_hop(1) == 2u);
  go_on(c, g, 10);
  BOOST_TEST(g.server_of_hop(1) == fast);
}

BOOST_AUTO_TEST_CASE(a_chain_gives_way_to_one_server_by_its_rows) {
  chain c;
  generation g{c.swarm};
  g.open();
  BOOST_TEST(g.forward(9), g.failure);
  const auto whole = c.swarm.add({0, 6});
  c.swarm.announce(whole, 1000);
  go_on(c, g, 12);
  BOOST_TEST(g.status().hops.size() == 1u);
  BOOST_TEST(g.server_of_hop(0) == whole);
  BOOST_TEST(g.status().recoveries.size() == 1u);
  BOOST_TEST(g.audit()[0].restored >= 9u);
  g.close();
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(two_servers_that_look_slow_by_turns_are_not_changed_each_time) {
  chain c;
  generation g{c.swarm, 1, 256};
  g.open();
  BOOST_TEST(g.forward(9), g.failure);
  c.swarm.add({2, 4});
  for (uint32_t i = 0; i < 60; ++i) {
    const auto mine = g.server_of_hop(1);
    c.swarm.announce(mine, 10);
    c.swarm.announce(mine == 2 ? 4 : 2);
    go_on(c, g, 1);
  }
  // In 240 seconds, with pauses of 10, 20, 40, … times a half to three halves: at 0, 5, 15, 35, 75 and 155 at the most.
  const auto moves = g.status().recoveries.size();
  BOOST_TEST(moves >= 2u);
  BOOST_TEST(moves <= 6u);
}

BOOST_AUTO_TEST_CASE(whoever_is_lost_in_the_midst_costs_no_token) {
  for (size_t victim : {1, 2, 3, 4, 5})
    for (size_t messages = 0; messages < 120; messages += 3) BOOST_TEST_CONTEXT(victim << " after " << messages) {
        slow_middle f;
        f.c.swarm.add({2, 4});
        go_on(f.c, f.g, 1);
        f.c.add_spares();
        f.c.swarm.pass(16s);  // the next step looks
        BOOST_TEST(f.g.forward(1, {}, messages, [&] { f.c.swarm.kill(victim); }), f.g.failure);
        go_on(f.c, f.g, 3);
        f.g.close();
        f.c.check_empty();
      }
}

}  // namespace corolla::tests
