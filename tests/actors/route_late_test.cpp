// Late is not lost: a hop that does not answer in time gets a rival, the first answer wins, and nobody is banned.
#include "tests/actors/chain.hpp"

namespace corolla::tests {

namespace {

/// A route that has seen how long its steps take, and spares.
struct warm_chain {
  chain c;
  generation g;

  explicit warm_chain(std::chrono::microseconds delay = {}, uint32_t max_length = 64)
      : c{delay}, g{c.swarm, 1, max_length} {
    g.open();
    BOOST_TEST(g.forward(13), g.failure);
    for (int i = 0; i < 3; ++i) BOOST_TEST(g.forward(1), g.failure);
    c.add_spares();
  }
  /// The next token, and how long it took.
  std::chrono::duration<double> timed_forward(const std::function<void()>& fault) {
    const auto begun = c.swarm.time().clock().now();
    BOOST_TEST(g.forward(1, {}, 0, fault), g.failure);
    return c.swarm.time().clock().now() - begun;
  }
  size_t spare_of(size_t hop) const { return 4 + hop; }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_hop_that_stops_is_replaced_long_before_it_counts_as_silent) {
  for (size_t hop = 0; hop < 3; ++hop) BOOST_TEST_CONTEXT("hop " << hop) {
      warm_chain f;
      auto& swarm = f.c.swarm;
      const auto late = f.g.server_of_hop(hop);
      const auto seconds = f.timed_forward([&] { swarm.stop(late); }).count();
      BOOST_TEST(seconds >= 0.25);
      BOOST_TEST(seconds < 1);
      const auto recoveries = f.g.status().recoveries;
      BOOST_REQUIRE_EQUAL(recoveries.size(), 1u);
      BOOST_TEST(recoveries[0].late);
      BOOST_TEST(f.g.server_of_hop(hop) == f.spare_of(hop));
      BOOST_TEST(swarm.banned().empty());
      // Whoever plans next may choose it, and does where it is the better choice.
      swarm.resume(late);
      swarm.announce(late, 1000);
      swarm.announce(f.spare_of(hop), 10);
      generation next{swarm};
      next.open();
      BOOST_TEST(next.server_of_hop(hop) == late);
      BOOST_TEST(next.forward(5), next.failure);
      BOOST_TEST(f.g.forward(1), f.g.failure);
      BOOST_TEST(f.g.check_counters() == "");
      f.g.close();
      next.close();
      f.c.check_empty();
    }
}

BOOST_AUTO_TEST_CASE(a_late_hop_that_answers_before_its_rival_is_ready_stays) {
  for (size_t hop = 0; hop < 3; ++hop) BOOST_TEST_CONTEXT("hop " << hop) {
      warm_chain f{1ms};
      auto& swarm = f.c.swarm;
      const auto late = f.g.server_of_hop(hop), rival = f.spare_of(hop);
      swarm.slow_down(rival, 100ms);
      f.timed_forward([&] {
        swarm.stop(late);
        BOOST_TEST(swarm.run_until([&] { return swarm.used_tokens(rival) > 0; }));
        swarm.resume(late);
      });
      BOOST_TEST(f.g.status().recoveries.empty());
      BOOST_TEST(f.g.server_of_hop(hop) == late);
      BOOST_TEST(swarm.banned().empty());
      swarm.pass(1s);
      BOOST_TEST(swarm.left_at(rival) == "");
      BOOST_TEST(f.g.forward(1), f.g.failure);
      BOOST_TEST(f.g.check_counters() == "");
      BOOST_TEST(f.g.audit()[hop].restored == 0u);
      f.g.close();
      f.c.check_empty();
    }
}

BOOST_AUTO_TEST_CASE(links_of_changing_speed_make_no_rival) {
  warm_chain f{25ms, /*max_length=*/1000};
  auto& swarm = f.c.swarm;
  std::mt19937 random{7};
  for (int step = 0; step < 10'000; ++step) {
    if (f.g.position == 1000) f.g.roll_back(20);
    // Up to a fifth of a link's time from each end; and now and then a step takes four times as long as any.
    for (size_t server = 1; server <= 3; ++server) swarm.slow_down(server, std::chrono::microseconds{random() % 5001});
    if (step % 500 == 250) swarm.slow_down(1 + random() % 3, 150ms);
    BOOST_TEST_REQUIRE(f.g.forward(1), f.g.failure);
  }
  BOOST_TEST(f.g.status().recoveries.empty());
  for (size_t hop = 0; hop < 3; ++hop) {
    BOOST_TEST(f.g.server_of_hop(hop) == hop + 1);
    BOOST_TEST(swarm.reservations(f.spare_of(hop)) == 0u);
  }
}

}  // namespace corolla::tests
