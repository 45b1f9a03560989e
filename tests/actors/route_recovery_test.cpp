// Routes that lose their servers, in virtual time: every output is compared with what the blocks give by themselves.
#include "tests/actors/chain.hpp"

using namespace corolla;
using namespace corolla::tests;

BOOST_AUTO_TEST_CASE(a_route_gives_what_the_blocks_give) {
  chain c;
  {
    generation g{c.swarm};
    g.open();
    BOOST_TEST(g.forward(13), g.failure);
    for (int i = 0; i < 10; ++i) BOOST_TEST(g.forward(1), g.failure);
    g.roll_back(9);
    BOOST_TEST(g.forward(5), g.failure);
    for (auto& s : g.audit()) {
      BOOST_TEST(s.position == 14u);
      BOOST_TEST(s.restored == 0u);
      BOOST_TEST(s.dropped == 0u);
    }
  }
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(a_session_that_is_as_long_as_it_may_be_is_rolled_back) {
  chain c;
  generation g{c.swarm, /*batch=*/1, /*max_length=*/8};
  g.open();
  BOOST_TEST(g.forward(7), g.failure);
  BOOST_TEST(g.forward(1), g.failure);
  g.roll_back(6);
  BOOST_TEST(g.forward(2), g.failure);
}

BOOST_AUTO_TEST_CASE(a_long_session_leaves_nothing_behind_either) {
  for (auto age : {1s, 29s, 40s}) BOOST_TEST_CONTEXT(age.count() << " s") {
      chain c;
      generation g{c.swarm};
      g.open();
      BOOST_TEST(g.forward(9), g.failure);
      c.swarm.pass(age);
      BOOST_TEST(g.forward(1), g.failure);
      g.close();
      c.check_empty();
    }
}

BOOST_AUTO_TEST_CASE(a_lost_hop_is_replaced_and_the_others_restore_nothing) {
  for (size_t hop = 0; hop < 3; ++hop) {
    chain c;
    {
      generation g{c.swarm};
      g.open();
      BOOST_TEST(g.forward(13), g.failure);
      c.add_spares();
      const auto victim = g.server_of_hop(hop);
      BOOST_TEST(g.forward(1, {}, 0, [&] { c.swarm.kill(victim); }), g.failure);
      for (int i = 0; i < 5; ++i) BOOST_TEST(g.forward(1), g.failure);
      const auto audit = g.audit();
      BOOST_REQUIRE(audit.size() == 3u);
      for (size_t i = 0; i < 3; ++i) {
        BOOST_TEST(audit[i].restored == (i == hop ? 13u : 0u), "hop " << i);
        BOOST_TEST(audit[i].last == 4u + 6u);
        BOOST_TEST(audit[i].steps == (i == hop ? 6u : 10u), "hop " << i);
        BOOST_TEST(audit[i].position == 19u);
      }
      const auto status = g.status();
      BOOST_REQUIRE(status.recoveries.size() == 1u);
      BOOST_TEST(status.recoveries[0].restored_tokens == 13u);
      BOOST_TEST((status.recoveries[0].blocks == c.spans[hop]));
    }
    c.check_empty();
  }
}

// -- what has no substitute, or not at once -------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(generation_waits_for_a_server_and_goes_on_when_one_joins) {
  chain c;
  {
    generation g{c.swarm};
    g.open();
    BOOST_TEST(g.forward(9), g.failure);
    c.swarm.kill(g.server_of_hop(1));
    c.swarm.pass(20s);
    c.swarm.add({2, 4});
    BOOST_TEST(g.forward(1), g.failure);
    BOOST_TEST(g.forward(1), g.failure);
  }
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(without_a_substitute_the_error_names_the_blocks_in_time) {
  chain c;
  generation g{c.swarm};
  g.open();
  BOOST_TEST(g.forward(9), g.failure);
  c.swarm.kill(g.server_of_hop(1));
  c.swarm.time().settle();
  const auto begun = c.swarm.time().clock().now();
  BOOST_TEST(!g.forward(1));
  const std::string_view start = "missing_blocks: no output within 60000 ms: blocks 2:4 have no server; server ";
  BOOST_TEST(g.failure.starts_with(start), g.failure);
  BOOST_TEST(g.failure.find("of blocks 2:4 was lost: ") != std::string::npos, g.failure);
  BOOST_TEST((c.swarm.time().clock().now() - begun == 60s));
  g.close();
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(several_smaller_spans_take_the_place_of_one) {
  virtual_swarm swarm;
  swarm.add({0, 1});
  swarm.add({1, 5});
  swarm.add({5, 6});
  generation g{swarm};
  g.open();
  BOOST_TEST(g.forward(13), g.failure);
  for (uint32_t b = 1; b < 5; ++b) swarm.add({b, b + 1});
  BOOST_TEST(g.forward(1, {}, 0, [&] { swarm.kill(2); }), g.failure);
  BOOST_TEST(g.forward(1), g.failure);
  const auto audit = g.audit();
  BOOST_REQUIRE(audit.size() == 6u);
  for (size_t i = 0; i < 6; ++i) BOOST_TEST(audit[i].restored == (i == 0 || i == 5 ? 0u : 13u), "hop " << i);
}

BOOST_AUTO_TEST_CASE(a_server_that_has_another_hop_already_takes_one_more) {
  virtual_swarm swarm;
  swarm.add({0, 6}, /*cache_tokens=*/64);
  swarm.add({2, 4});
  generation holder{swarm};  // fills the first server, so that the route below is a chain
  holder.open();
  BOOST_TEST(holder.forward(5), holder.failure);
  swarm.add({0, 2});
  swarm.add({4, 6});
  generation g{swarm};
  g.open();
  BOOST_TEST(g.forward(13), g.failure);
  BOOST_REQUIRE(g.status().hops.size() == 3u);
  holder.close();
  for (auto victim : {2, 3, 4}) {
    BOOST_TEST(g.forward(1, {}, 0, [&] { swarm.kill(static_cast<size_t>(victim)); }), g.failure);
    BOOST_TEST(g.forward(1), g.failure);
    if (victim == 2) swarm.add({0, 6});
  }
}

BOOST_AUTO_TEST_CASE(a_substitute_without_room_is_asked_again_when_it_may_have_some) {
  virtual_swarm swarm;
  swarm.add({0, 2});
  swarm.add({2, 4});
  swarm.add({4, 6});
  generation g{swarm};
  g.open();
  BOOST_TEST(g.forward(9), g.failure);
  swarm.add({2, 4}, /*cache_tokens=*/64);
  auto other = std::make_unique<generation>(swarm);
  other->options.blocks = {2, 4};
  const auto spare = swarm.size() - 1;
  // Who takes the spare's only room, and gives it back after three seconds.
  swarm.kill(2);
  other->open();
  BOOST_TEST(swarm.used_tokens(spare) == 64u);
  BOOST_TEST(
      g.forward(
          1, {}, 400,
          [&] {
            swarm.pass(3s);
            other->close();
          }),
      g.failure);
  BOOST_TEST(g.forward(1), g.failure);
}
