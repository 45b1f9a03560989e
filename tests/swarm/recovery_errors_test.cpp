// A server that answers errors: it goes on, and so does every other session there.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "model/safetensors.hpp"
#include "recovery_fixture.hpp"
#include "tests/support/odd_server.hpp"

namespace corolla::tests {

namespace {

struct odd_fixture {
  long_golden golden{"llama3-rope"};
  spare_swarm<odd_server> servers{golden.folder(), single_blocks, /*copies=*/2};
  driven_client client{golden.folder(), servers.address()};

  odd_fixture() { BOOST_TEST_REQUIRE(golden.margin() > golden.tolerance()); }

  void fail_at(const script& steps, uint32_t block, size_t at, const session_extras& extras) {
    scripted_session session{client, golden, steps, {}, extras};
    session.run(0, at);
    const auto victim = session.hop_with(block);
    servers.find(victim.peer).fail_next_pass();
    session.run(at, at + 1);
    BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
    BOOST_TEST(session.hop_with(block).peer != victim.peer);
    session.run(at + 1, steps.size());
    session.check_counters({victim.blocks});
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_pass_that_fails_costs_its_session_a_replay_and_no_other_session_anything, odd_fixture) {
  const auto steps = golden.text("of_40").as_script();
  each_time([&](uint32_t block, size_t at) {
    scripted_session session{client, golden, steps};
    const session_extras same_chain{.allow = session.servers()};
    scripted_session other{client, golden, steps, {}, same_chain};
    session.run(0, at);
    other.run(0, at);
    const auto victim = session.hop_with(block);
    servers.find(victim.peer).fail_next_pass();
    session.run(at, at + 1);
    BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
    BOOST_TEST(session.hop_with(block).peer != victim.peer);
    other.run(at, at + 1);
    session.run(at + 1, steps.size());
    session.check_counters({victim.blocks});
    other.run(at + 1, steps.size());
    other.check_counters({});
    // The server takes the next session as if nothing had been.
    scripted_session next{client, golden, steps, {}, same_chain};
    next.run(0, steps.size());
    next.check_counters({});
  });
}

BOOST_DATA_TEST_CASE_F(
    odd_fixture, rows_that_change_places_or_are_rolled_back_in_a_pass_that_fails_are_the_references,
    boost::unit_test::data::make({"reordered", "rolled_back"}), name) {
  const auto steps = golden.steps(name);
  each_time([&](uint32_t block, size_t at) { fail_at(steps, block, at, {.spare = 8}); });
}

BOOST_FIXTURE_TEST_CASE(a_session_with_deep_prompts_gets_over_a_pass_that_fails, odd_fixture) {
  const auto steps = golden.text("prompted").as_script();
  const auto prompts = model::safetensors_file{golden.deep_prompts()}.load("deep_prompts");
  each_time([&](uint32_t block, size_t at) { fail_at(steps, block, at, {.deep_prompts = prompts}); });
}

}  // namespace corolla::tests
