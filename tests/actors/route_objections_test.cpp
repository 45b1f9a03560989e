// Steps that a hop will not compute, and outputs that cannot be right: one hop's fault, or the caller's.
#include "tests/actors/chain.hpp"

namespace corolla::tests {

namespace {

/// A chain that has computed a prompt and a token, and spares.
struct spared_chain {
  chain c;
  generation g{c.swarm};

  spared_chain() {
    g.open();
    BOOST_TEST(g.forward(13), g.failure);
    BOOST_TEST(g.forward(1), g.failure);
    c.add_spares();
  }
  /// What the last hop would send of the step that comes.
  step output(std::vector<int64_t> dims, std::vector<float> values) {
    const auto last = g.audit()[2];
    step s;
    s.epoch = last.epoch;
    s.seq = last.last + 1;
    s.from = c.swarm.peer(g.server_of_hop(2));
    s.hidden = model::tensor::of<float>(std::move(dims), values);
    return s;
  }
  /// The step under way is right in the end, by others than these hops.
  void check_replaced(const std::vector<size_t>& hops, const std::function<void()>& fault) {
    std::vector<size_t> before;
    for (size_t hop = 0; hop < 3; ++hop) before.push_back(g.server_of_hop(hop));
    BOOST_TEST(g.forward(1, {}, 0, fault), g.failure);
    for (size_t hop = 0; hop < 3; ++hop) {
      const bool is_replaced = std::find(hops.begin(), hops.end(), hop) != hops.end();
      BOOST_TEST((g.server_of_hop(hop) != before[hop]) == is_replaced, "hop " << hop);
    }
    BOOST_TEST(g.forward(1), g.failure);
    BOOST_TEST(g.check_counters() == "");
  }
  ~spared_chain() {
    g.close();
    c.check_empty();
  }
};

constexpr auto none = std::numeric_limits<float>::quiet_NaN();

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_output_of_other_rows_than_were_asked_for_costs_the_hop_that_sent_it, spared_chain) {
  const auto lie = output({1, 0, virtual_swarm::hidden_size}, {});
  check_replaced({2}, [&] { g.forge(lie); });
  BOOST_TEST((c.swarm.banned() == std::vector{lie.from}));
}

BOOST_FIXTURE_TEST_CASE(so_does_one_that_is_no_number, spared_chain) {
  const auto lie = output({1, 1, virtual_swarm::hidden_size}, std::vector<float>(virtual_swarm::hidden_size, none));
  check_replaced({2}, [&] { g.forge(lie); });
}

BOOST_FIXTURE_TEST_CASE(and_one_that_its_next_hop_refuses_costs_both, spared_chain) {
  // Who of them is right, nobody knows.
  const auto first = g.server_of_hop(0);
  check_replaced({0, 1}, [&] { c.swarm.poison_once(first); });
}

BOOST_FIXTURE_TEST_CASE(what_is_refused_twice_is_the_callers_fault, spared_chain) {
  const auto answer = g.forward_nonsense();
  c.swarm.run_until([&] { return !answer->pending(); });
  BOOST_TEST(answer->failed_with(errc::not_finite), answer->text());
  BOOST_TEST(g.status().recoveries.size() == 1u);
  BOOST_TEST(c.swarm.banned().empty());
}

BOOST_AUTO_TEST_CASE(where_there_is_one_server_it_is_asked_twice) {
  chain c;
  generation g{c.swarm};
  g.open();
  BOOST_TEST(g.forward(5), g.failure);
  const auto answer = g.forward_nonsense();
  c.swarm.run_until([&] { return !answer->pending(); });
  BOOST_TEST(answer->failed_with(errc::not_finite), answer->text());
  g.close();
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(a_server_that_fails_each_time_is_not_asked_without_end) {
  // Whatever becomes of others meanwhile.
  for (const bool others_change : {false, true}) BOOST_TEST_CONTEXT(others_change) {
      virtual_swarm swarm;
      swarm.add({0, 6});
      swarm.add({0, 1});
      generation g{swarm};
      g.options.step_timeout = 60s;
      g.open();
      BOOST_TEST(g.forward(5), g.failure);
      const auto before = swarm.reservations(1);
      swarm.fail_always(1, [&] {
        if (others_change) swarm.flap(2);
      });
      BOOST_TEST(!g.forward(1));
      BOOST_TEST(g.failure.find("made to fail") != std::string::npos, g.failure);
      BOOST_TEST(swarm.reservations(1) - before <= 40u);
    }
}

}  // namespace corolla::tests
