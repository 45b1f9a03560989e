// What else can happen to a hop than that it is killed: it stops, it comes back, its neighbour goes with it, and rows
// change places meanwhile.  Each at steps 1, 7 and 39 of a session whose outputs are the reference's throughout.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <string>
#include <vector>

#include "recovery_fixture.hpp"

namespace corolla::tests {

BOOST_FIXTURE_TEST_CASE(a_server_that_stops_is_overtaken_by_another, recovery_fixture) {
  const auto steps = golden.text("of_100").as_script();
  each_time([&](uint32_t block, size_t at) {
    servers.wait_for_servers(2);
    scripted_session session{client, golden, steps};
    session.run(0, at);
    const auto victim = session.hop_with(block);
    servers.strike(victim.peer, SIGSTOP);
    session.run(at, steps.size());
    BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
    session.check_counters({victim.blocks});
    servers.replace(victim.peer);
  });
}

/// It still has a step and sends on what it computes of it, when another one has taken its place.
BOOST_FIXTURE_TEST_CASE(a_server_that_comes_back_disturbs_nothing, recovery_fixture) {
  const auto steps = golden.text("of_100").as_script();
  each_time([&](uint32_t block, size_t at) {
    scripted_session session{client, golden, steps};
    session.run(0, at);
    const auto victim = session.hop_with(block);
    servers.strike(victim.peer, SIGSTOP);
    session.run(at, at + 2);
    servers.strike(victim.peer, SIGCONT);
    session.run(at + 2, steps.size());
    BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
    session.check_counters({victim.blocks});
  });
}

BOOST_FIXTURE_TEST_CASE(two_neighbours_that_are_killed_together_are_replaced_together, recovery_fixture) {
  const auto steps = golden.text("of_100").as_script();
  for (const uint32_t block : {0, 1})
    for (const auto at : moments) BOOST_TEST_CONTEXT("the hop of block " << block << " and the next at step " << at) {
        servers.wait_for_servers(2);
        scripted_session session{client, golden, steps};
        session.run(0, at);
        const auto first = session.hop_with(block), second = session.hop_with(first.blocks.end);
        session.start(at);
        for (const auto& victim : {first, second}) servers.strike(victim.peer, SIGKILL);
        session.finish(at);
        session.run(at + 1, steps.size());
        for (const auto& victim : {first, second})
          BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
        session.check_counters({{first.blocks.begin, second.blocks.end}});
        for (const auto& victim : {first, second}) servers.replace(victim.peer);
      }
}

// -- rows that change places, and rollbacks -------------------------------------------------------------------------

namespace {

namespace data = boost::unit_test::data;

/// A session of three rows.  A server is killed, or stops, while the step that reorders or rolls back is under way, or
/// when it has just been done.
void lose_in_script(
    recovery_fixture& f, const std::string& name, uint32_t block, size_t at, bool under_way, int signal) {
  const auto steps = f.golden.steps(name);
  f.servers.wait_for_servers(2);
  scripted_session session{f.client, f.golden, steps, {}, {.spare = 8}};
  session.run(0, at);
  const auto victim = session.hop_with(block);
  session.start(at);
  if (under_way) f.servers.strike(victim.peer, signal);
  session.finish(at);
  if (!under_way) f.servers.strike(victim.peer, signal);
  session.run(at + 1, steps.size());
  BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
  session.check_counters({victim.blocks});
  f.servers.replace(victim.peer);
}

}  // namespace

BOOST_DATA_TEST_CASE_F(
    recovery_fixture, rows_that_changed_places_or_were_rolled_back_are_restored_as_they_are,
    data::make({"reordered", "rolled_back"}), name) {
  for (const auto under_way : {true, false})
    BOOST_TEST_CONTEXT((under_way ? "while the step is under way" : "just after the step"))
  each_time([&](uint32_t block, size_t at) { lose_in_script(*this, name, block, at, under_way, SIGKILL); });
}

BOOST_DATA_TEST_CASE_F(
    recovery_fixture, so_are_they_when_a_server_stops, data::make({"reordered", "rolled_back"}), name) {
  each_time([&](uint32_t block, size_t at) { lose_in_script(*this, name, block, at, /*under_way=*/true, SIGSTOP); });
}

}  // namespace corolla::tests
