// Servers that leave in order, in virtual time: what runs through them goes on at others, and nothing is computed
// again.
#include "tests/actors/chain.hpp"

using namespace corolla;
using namespace corolla::tests;

namespace {

size_t passes_of(chain& c, size_t server) {
  return c.swarm.passes(server).size();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_that_leaves_hands_over_what_it_has) {
  for (size_t hop = 0; hop < 3; ++hop) {
    chain c;
    {
      generation g{c.swarm};
      g.open();
      BOOST_TEST(g.forward(13), g.failure);
      c.add_spares();
      const auto leaver = g.server_of_hop(hop);
      c.swarm.drain(leaver);
      for (int i = 0; i < 5; ++i) BOOST_TEST(g.forward(1), g.failure);
      const auto status = g.status();
      BOOST_REQUIRE_EQUAL(status.recoveries.size(), 1u);
      BOOST_TEST(status.recoveries[0].moved);
      BOOST_TEST(status.recoveries[0].handed_over);
      BOOST_TEST(!status.recoveries[0].late);
      const auto substitute = g.server_of_hop(hop);
      BOOST_TEST(substitute != leaver);
      const auto audit = g.audit();
      for (size_t i = 0; i < 3; ++i) BOOST_TEST(audit[i].restored == (i == hop ? 13u : 0u), "hop " << i);
      // Four chunks of the prompt were not computed again.
      BOOST_TEST(passes_of(c, substitute) == audit[hop].steps);
      BOOST_TEST(audit[hop].steps <= 6u);
      BOOST_TEST(!c.swarm.is_alive(leaver));
    }
    c.check_empty();
  }
}

BOOST_AUTO_TEST_CASE(a_session_that_rests_moves_too) {
  chain c;
  {
    generation g{c.swarm};
    g.open();
    BOOST_TEST(g.forward(13), g.failure);
    c.add_spares();
    const auto leaver = g.server_of_hop(1);
    c.swarm.drain(leaver);
    c.swarm.pass(1s);
    BOOST_TEST(!c.swarm.is_alive(leaver));
    BOOST_TEST(g.server_of_hop(1) != leaver);
    BOOST_TEST(g.forward(1), g.failure);
    BOOST_TEST(g.audit()[1].steps == 1u);
  }
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(what_was_handed_over_can_be_restored_from_and_handed_over_again) {
  chain c;
  {
    generation g{c.swarm, 3};
    g.open();
    BOOST_TEST(g.forward(13), g.failure);
    BOOST_TEST(g.forward(1, {2, 0, 1}), g.failure);
    g.roll_back(9);
    BOOST_TEST(g.forward(2, {1, 1, 0}), g.failure);
    c.add_spares();
    c.swarm.drain(g.server_of_hop(1));
    c.swarm.pass(1s);
    c.add_spares();
    // The next hop is restored out of the log that came with it.
    BOOST_TEST(g.forward(1, {}, 0, [&] { c.swarm.kill(g.server_of_hop(2)); }), g.failure);
    c.swarm.drain(g.server_of_hop(1));
    c.swarm.pass(1s);
    BOOST_TEST(g.forward(1), g.failure);
    BOOST_TEST(g.status().recoveries.size() == 3u);
    BOOST_TEST(g.status().recoveries[2].handed_over);
  }
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(all_servers_leave_at_once) {
  chain c;
  {
    generation g{c.swarm};
    g.open();
    BOOST_TEST(g.forward(13), g.failure);
    c.add_spares();
    for (size_t server = 1; server <= 3; ++server) c.swarm.drain(server);
    for (int i = 0; i < 5; ++i) BOOST_TEST(g.forward(1), g.failure);
    c.swarm.pass(1s);
    for (size_t server = 1; server <= 3; ++server) BOOST_TEST(!c.swarm.is_alive(server), "server " << server);
    BOOST_TEST(g.forward(1), g.failure);
  }
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(several_smaller_spans_are_restored_while_the_server_that_leaves_goes_on) {
  virtual_swarm swarm;
  swarm.add({0, 1});
  swarm.add({1, 5});
  swarm.add({5, 6});
  generation g{swarm};
  g.open();
  BOOST_TEST(g.forward(13), g.failure);
  for (uint32_t b = 1; b < 5; ++b) swarm.add({b, b + 1});
  swarm.drain(2);
  for (int i = 0; i < 5; ++i) BOOST_TEST(g.forward(1), g.failure);
  swarm.pass(1s);
  BOOST_TEST(!swarm.is_alive(2));
  BOOST_TEST(g.forward(1), g.failure);
  BOOST_TEST(g.audit().size() == 6u);
  BOOST_REQUIRE_EQUAL(g.status().recoveries.size(), 1u);
  BOOST_TEST(g.status().recoveries[0].moved);
  BOOST_TEST(!g.status().recoveries[0].handed_over);
}

BOOST_AUTO_TEST_CASE(without_a_substitute_a_server_goes_on_until_its_patience_ends) {
  chain c;
  {
    generation g{c.swarm};
    g.open();
    BOOST_TEST(g.forward(13), g.failure);
    const auto leaver = g.server_of_hop(1);
    c.swarm.drain(leaver);
    for (int i = 0; i < 3; ++i) BOOST_TEST(g.forward(1), g.failure);
    c.swarm.pass(1s);
    BOOST_TEST(c.swarm.is_alive(leaver));
    BOOST_TEST(g.forward(1), g.failure);
    c.swarm.pass(3s);
    BOOST_TEST(!c.swarm.is_alive(leaver));
    // As any loss.
    c.add_spares();
    BOOST_TEST(g.forward(1), g.failure);
    BOOST_TEST(!g.status().recoveries.at(0).moved);
  }
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(a_substitute_that_joins_while_a_server_waits_to_leave_is_taken) {
  chain c;
  {
    generation g{c.swarm};
    g.open();
    BOOST_TEST(g.forward(13), g.failure);
    const auto leaver = g.server_of_hop(1);
    c.swarm.drain(leaver);
    c.swarm.pass(1s);
    BOOST_TEST(g.server_of_hop(1) == leaver);
    c.add_spares();
    c.swarm.pass(500ms);
    BOOST_TEST(!c.swarm.is_alive(leaver));
    BOOST_TEST(g.forward(1), g.failure);
    BOOST_TEST(g.status().recoveries.at(0).handed_over);
  }
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(a_server_that_leaves_takes_no_new_session) {
  chain c;
  generation g{c.swarm};
  g.open();
  BOOST_TEST(g.forward(5), g.failure);
  c.swarm.drain(g.server_of_hop(1));
  generation other{c.swarm};
  BOOST_TEST(other.open_fails().find("the node is leaving") != std::string::npos);
  c.add_spares();
  generation third{c.swarm};
  third.open();
  BOOST_TEST(third.forward(1), third.failure);
}

// -- the grid: who is lost while a server leaves ---------------------------------------------------------------------

namespace {

enum class lost_too { nobody, leaver, substitute, before, behind, late_leaver };
constexpr lost_too all_losses[] = {lost_too::nobody, lost_too::leaver, lost_too::substitute,
                                   lost_too::before, lost_too::behind, lost_too::late_leaver};

/// A generation during which a server leaves, and another is lost so many messages later.
std::string run_one(lost_too what, size_t hop, size_t messages, size_t later, const course& how) {
  chain c{how.delay};
  std::string failure;
  {
    generation g{c.swarm, how.batch};
    g.open();
    c.add_spares();
    c.add_spares();
    const auto leaver = g.server_of_hop(hop);
    auto strike = [&] {
      c.swarm.drain(leaver);
      c.swarm.run(later);
      const auto next = hop == 2 ? 0 : hop + 1, before = hop == 0 ? 2 : hop - 1;
      switch (what) {
        case lost_too::nobody:
          return;
        case lost_too::leaver:
          return c.swarm.kill(leaver);
        case lost_too::late_leaver:
          return c.swarm.stop(leaver);
        case lost_too::substitute:
          for (auto s = size_t{4}; s < c.swarm.size(); ++s)
            if (c.swarm.used_tokens(s) > 0) return c.swarm.kill(s);
          return;
        case lost_too::before:
          return c.swarm.kill(g.server_of_hop(before));
        case lost_too::behind:
          return c.swarm.kill(g.server_of_hop(next));
      }
    };
    failure = g.run(turns_of(how, /*tokens=*/6), messages, /*at=*/2, strike);
    c.swarm.pass(3s);
    if (failure.empty() && what == lost_too::nobody && c.swarm.is_alive(leaver)) failure = "it has not left";
    if (failure.empty() && !g.forward(1)) failure = "afterwards: " + g.failure;
  }
  if (what != lost_too::late_leaver) c.check_empty();
  return failure;
}

void run_all(const course& how) {
  for (auto what : all_losses)
    for (size_t hop = 0; hop < 3; ++hop)
      for (size_t messages : {0, 25, 120})
        for (size_t later : {0, 10, 30, 60, 100, 150, 250}) {
          if (what == lost_too::nobody && later > 0) continue;
          const auto failure = run_one(what, hop, messages, later, how);
          BOOST_TEST(
              failure.empty(), "loss " << static_cast<int>(what) << ", hop " << hop << " leaves after " << messages
                                       << " messages, the other " << later << " later: " << failure);
        }
}

}  // namespace

BOOST_AUTO_TEST_CASE(whoever_is_lost_while_a_server_leaves) {
  run_all({});
}
BOOST_AUTO_TEST_CASE(and_with_rows_that_change_places_and_a_rollback) {
  run_all({3, true, true, 0us});
}
BOOST_AUTO_TEST_CASE(and_over_links_that_take_time) {
  run_all({1, false, false, 5ms});
}
