#include "actors/policy/step_order.hpp"

#include <boost/test/unit_test.hpp>

using namespace corolla::actors::policy;

namespace {

constexpr uint64_t edge = 3;

struct sender {
  step_order order{edge, /*max_length=*/16};

  step_header step(uint64_t seq, uint32_t position, uint32_t tokens, uint64_t done, bool reorders = false) const {
    return {edge, seq, done, position, tokens, reorders};
  }
  verdict send(const step_header& s) {
    auto v = order.judge(s);
    if (v == verdict::apply) order.accept(s);
    return v;
  }
};

bool is(verdict actual, verdict wanted) {
  return actual == wanted;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(chunks_that_only_append_follow_each_other_without_waiting, sender) {
  BOOST_TEST(is(send(step(1, 0, 4, 0)), verdict::apply));
  BOOST_TEST(is(send(step(2, 4, 4, 0)), verdict::apply));
  BOOST_TEST(is(send(step(3, 8, 8, 0)), verdict::apply));
  BOOST_TEST(order.last() == 3u);
  BOOST_TEST(order.position() == 16u);
  BOOST_TEST(order.last_applied() == 0u);
}

BOOST_FIXTURE_TEST_CASE(seq_decides_whether_a_step_is_applied, sender) {
  send(step(1, 0, 4, 0));
  BOOST_TEST(is(send(step(1, 0, 4, 0)), verdict::drop_old));
  BOOST_TEST(is(send(step(0, 9, 99, 0)), verdict::drop_old));
  BOOST_TEST(is(send(step(3, 4, 1, 0)), verdict::gap));
  BOOST_TEST(is(send(step(UINT64_MAX, 4, 1, 0)), verdict::gap));
  BOOST_TEST(order.last() == 1u);
}

BOOST_FIXTURE_TEST_CASE(only_the_edge_in_force_counts, sender) {
  auto s = step(1, 0, 1, 0);
  s.epoch = edge - 1;
  BOOST_TEST(is(send(s), verdict::stale));
  s.epoch = edge + 1;
  BOOST_TEST(is(send(s), verdict::stale));
}

BOOST_FIXTURE_TEST_CASE(positions_beyond_the_session_do_not_match, sender) {
  BOOST_TEST(is(send(step(1, 1, 1, 0)), verdict::position_mismatch));
  BOOST_TEST(is(send(step(1, 0, 17, 0)), verdict::position_mismatch));
  BOOST_TEST(is(send(step(1, 0, UINT32_MAX, 0)), verdict::position_mismatch));
  BOOST_TEST(is(send(step(1, 0, 16, 0)), verdict::apply));
  BOOST_TEST(is(send(step(2, 16, 1, 0)), verdict::position_mismatch));
  BOOST_TEST(is(send(step(2, UINT32_MAX, 1, 0)), verdict::position_mismatch));
}

BOOST_FIXTURE_TEST_CASE(a_step_that_truncates_waits_until_all_before_it_are_done, sender) {
  send(step(1, 0, 4, 0));
  send(step(2, 4, 4, 0));
  order.applied();
  BOOST_TEST(is(send(step(3, 2, 1, 1)), verdict::must_go_alone));
  order.applied();
  BOOST_TEST(is(send(step(3, 2, 1, 1)), verdict::must_go_alone));
  BOOST_TEST(is(send(step(3, 2, 1, 2)), verdict::apply));
  BOOST_TEST(order.position() == 3u);
}

BOOST_FIXTURE_TEST_CASE(a_step_that_reorders_or_adds_nothing_goes_alone_too, sender) {
  send(step(1, 0, 4, 0));
  BOOST_TEST(is(send(step(2, 4, 1, 0, /*reorders=*/true)), verdict::must_go_alone));
  BOOST_TEST(is(send(step(2, 4, 0, 0)), verdict::must_go_alone));
  order.applied();
  BOOST_TEST(is(send(step(2, 4, 1, 1, /*reorders=*/true)), verdict::apply));
}

BOOST_FIXTURE_TEST_CASE(the_step_after_one_that_went_alone_waits_for_it, sender) {
  send(step(1, 0, 4, 0));
  order.applied();
  send(step(2, 2, 1, 1));
  BOOST_TEST(is(send(step(3, 3, 1, 1)), verdict::must_go_alone));
  order.applied();
  BOOST_TEST(is(send(step(3, 3, 1, 1)), verdict::must_go_alone));
  BOOST_TEST(is(send(step(3, 3, 1, 2)), verdict::apply));
  // From here on steps may overlap again.
  BOOST_TEST(is(send(step(4, 4, 1, 2)), verdict::apply));
}

BOOST_FIXTURE_TEST_CASE(nobody_has_the_output_of_a_step_that_was_not_seen, sender) {
  BOOST_TEST(is(send(step(1, 0, 4, 1)), verdict::impossible_done));
  send(step(1, 0, 4, 0));
  BOOST_TEST(is(send(step(2, 0, 0, 2)), verdict::impossible_done));
  // The client may have it from a hop that this one stands in for.
  BOOST_TEST(is(send(step(2, 0, 0, 1)), verdict::apply));
}
