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
class full_swarm {
 public:
  full_swarm(const std::vector<std::string>& limits, const actors::route_options& all, const std::string& refusal)
      : servers_{golden_.folder(), single_blocks, /*copies=*/2, limits}, all_{all}, refusal_{refusal} {}

  void lose(uint32_t block, size_t at) {
    servers_.wait_for_servers();
    const auto steps = golden_.text("of_40").as_script();
    std::promise<std::string> refused;
    bool was_refused = false;
    const auto hear = [&](const hop_session& where, const std::string& why) {
      if (where.restoring && !was_refused) refused.set_value(why);
      was_refused = was_refused || where.restoring;
    };
    scripted_session session{client_, golden_, steps, {.refused = hear}};
    session.run(0, at);
    auto other = std::make_unique<driven_route>(client_, all_);
    const auto victim = session.hop_with(block);
    servers_.strike(victim.peer, SIGKILL);
    session.start(at);
    auto why = refused.get_future();
    BOOST_TEST_REQUIRE((why.wait_for(patience) == std::future_status::ready));
    const auto text = why.get();
    BOOST_TEST(text.find(refusal_) != std::string::npos, text);
    other.reset();
    session.finish(at);
    session.run(at + 1, steps.size());
    BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
    BOOST_TEST(session.hop_with(block).peer != victim.peer);
    session.check_counters({victim.blocks});
    servers_.replace(victim.peer);
  }

 private:
  long_golden golden_{"llama3-rope"};
  spare_swarm<server> servers_;
  driven_client client_{golden_.folder(), servers_.address()};
  actors::route_options all_;
  std::string refusal_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_substitute_whose_cache_is_full_is_asked_again) {
  actors::route_options all;
  all.max_length = 512;
  full_swarm swarm{{"--node.cache_tokens=512"}, all, "are free"};
  each_time([&](uint32_t block, size_t at) { swarm.lose(block, at); });
}

/// The log of a session of 16 x 256 tokens of 64 numbers is what a node has for all logs.
BOOST_AUTO_TEST_CASE(a_substitute_whose_room_for_logs_is_used_up_is_asked_again) {
  actors::route_options all;
  all.batch = 16;
  all.max_length = 256;
  full_swarm swarm{{"--node.cache_tokens=16384", "--node.log_bytes=1048576"}, all, "output log"};
  each_time([&](uint32_t block, size_t at) { swarm.lose(block, at); });
}

}  // namespace corolla::tests
