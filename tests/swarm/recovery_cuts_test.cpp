// Networks that are cut in one direction, at steps 1, 7 and 39 of a session whose outputs are the reference's
// throughout. Servers are linked so that what is cut is what the session needs.
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "proxied_chain.hpp"
#include "recovery_fixture.hpp"

namespace corolla::tests {

namespace {

struct cut_fixture {
  long_golden golden{"llama3-rope"};
  proxied_chain servers;
  driven_client client{golden.folder(), servers.address()};

  explicit cut_fixture(dialled_by who) : servers{golden.folder(), two_of_each(), who} {}

  static std::vector<proxied_chain::part> two_of_each() {
    std::vector<proxied_chain::part> parts;
    for (const auto& span : single_blocks) parts.push_back({span, 2});
    return parts;
  }

  /// Whoever dialled the server, the client among them, reaches it no more, or hears nothing of it; no connection ends.
  /// What was held back arrives when another server has its place.
  void cut_one_way(runtime::direction which, uint32_t block, size_t at) {
    const auto steps = golden.text("of_100").as_script();
    scripted_session session{client, golden, steps};
    session.run(0, at);
    const auto victim = session.hop_with(block);
    auto& network = servers.find(victim.peer).network;
    network.stall(which);
    session.run(at, at + 10);
    BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
    BOOST_TEST(session.hop_with(block).peer != victim.peer);
    network.resume();
    session.run(at + 10, steps.size());
    session.check_counters({victim.blocks});
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_that_is_reached_no_more_is_replaced) {
  cut_fixture f{dialled_by::giver};
  each_time([&](uint32_t block, size_t at) { f.cut_one_way(runtime::direction::to, block, at); });
}

BOOST_AUTO_TEST_CASE(a_server_that_is_heard_no_more_is_replaced) {
  cut_fixture f{dialled_by::taker};
  each_time([&](uint32_t block, size_t at) { f.cut_one_way(runtime::direction::from, block, at); });
}

}  // namespace corolla::tests
