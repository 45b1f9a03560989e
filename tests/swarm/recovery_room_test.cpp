// Substitutes that have no room at first: the route waits, and goes on when they have.
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "recovery_fixture.hpp"

namespace corolla::tests {

namespace {

/// Of each span there are two servers: a session goes through one of each, and another route takes all that the others
/// have.  Then a server of the session is killed; when its only substitute has refused, the other route closes.
void wait_for_room(
    const std::vector<std::string>& limits, const actors::route_options& all, const std::string& refusal) {
  const long_golden golden{"llama3-rope"};
  const auto steps = golden.text("of_40").as_script();
  constexpr size_t at = 7;
  for (size_t hop = 0; hop < spans.size(); ++hop) BOOST_TEST_CONTEXT("hop " << hop) {
      spare_swarm<server> servers{golden.folder(), spans, /*copies=*/2, limits};
      driven_client client{golden.folder(), servers.address()};
      std::promise<std::string> refused;
      bool was_refused = false;
      const auto hear = [&](const hop_session& where, const std::string& why) {
        if (where.restoring && !was_refused) refused.set_value(why);
        was_refused = was_refused || where.restoring;
      };
      scripted_session session{client, golden, steps, {.refused = hear}};
      session.run(0, at);
      auto other = std::make_unique<driven_route>(client, all);
      const auto victim = session.server_of(hop);
      servers.strike(victim, SIGKILL);
      session.start(at);
      auto why = refused.get_future();
      BOOST_TEST_REQUIRE((why.wait_for(patience) == std::future_status::ready));
      const auto text = why.get();
      BOOST_TEST(text.find(refusal) != std::string::npos, text);
      other.reset();
      session.finish(at);
      session.run(at + 1, steps.size());
      BOOST_TEST(session.num_recoveries(ranges[hop]) >= 1u, session.told());
      BOOST_TEST(session.server_of(hop) != victim);
      session.check_counters();
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_substitute_whose_cache_is_full_is_asked_again) {
  actors::route_options all;
  all.max_length = 512;
  wait_for_room({"--node.cache_tokens=512"}, all, "are free");
}

/// The log of a session of 16 x 256 tokens of 64 numbers is what a node has for all logs.
BOOST_AUTO_TEST_CASE(a_substitute_whose_room_for_logs_is_used_up_is_asked_again) {
  actors::route_options all;
  all.batch = 16;
  all.max_length = 256;
  wait_for_room({"--node.cache_tokens=16384", "--node.log_bytes=1048576"}, all, "output log");
}

}  // namespace corolla::tests
