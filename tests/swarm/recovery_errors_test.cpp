// A server that answers errors: it goes on, and so does every other session there.
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "recovery_fixture.hpp"
#include "tests/support/odd_server.hpp"

namespace corolla::tests {

BOOST_AUTO_TEST_CASE(a_pass_that_fails_costs_its_session_a_replay_and_no_other_session_anything) {
  const long_golden golden{"llama3-rope"};
  BOOST_TEST_REQUIRE(golden.margin() > golden.tolerance());
  spare_swarm<odd_server> servers{golden.folder(), single_blocks, /*copies=*/2};
  driven_client client{golden.folder(), servers.address()};
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

}  // namespace corolla::tests
