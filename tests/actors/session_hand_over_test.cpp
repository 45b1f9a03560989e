// A session that hands over what it holds, and one that takes it over.
#include "tests/actors/changing_fixture.hpp"

using namespace corolla;
using namespace corolla::actors;
using namespace corolla::tests;

namespace {

struct handing_fixture : changing_fixture {
  answer_ptr<taken> hand_over(
      const session_actor& session, uint64_t after, uint32_t tokens, uint64_t epoch = edge + 1) {
    return upstream.ask<taken>(session, hand_over_atom::value, hand_over_request{to(epoch), after, tokens});
  }
  /// A session of two steps and three tokens, and the parts of it that a substitute is given.
  session_actor hand_over_three_tokens() {
    auto session = open();
    send(session, chunk(0, 2));
    send(session, chunk(2, 1, /*first=*/5));
    BOOST_TEST(hand_over(session, 2, 3)->value.has_value());
    time.settle();
    return session;
  }
  /// As they come to a substitute that the leaver restores.
  std::vector<step> parts() const {
    auto result = other->steps;
    for (auto& part : result) {
      part.epoch = edge;
      part.from = new_upstream;
    }
    return result;
  }
  session_actor open_successor() {
    config.restoring = true;
    config.restorer = new_upstream;
    config.done = 2;
    return open();
  }
  bool is_refused(const session_actor& session, const step& part, errc code) {
    return send(session, part)->failed_with(code);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(keys_and_values_go_block_by_block_and_then_the_outputs, handing_fixture) {
  hand_over_three_tokens();
  const auto given = parts();
  BOOST_REQUIRE_EQUAL(given.size(), 9u);
  for (uint32_t i = 0; i < 8; ++i) {
    BOOST_TEST((given[i].restores == restored_part::cache));
    BOOST_TEST(given[i].block == i);
    BOOST_TEST((given[i].hidden.dims() == model::shape{1, 3, 1}));
  }
  BOOST_TEST((given[8].restores == restored_part::outputs));
  BOOST_TEST((given[8].hidden.dims() == model::shape{1, 3, hidden_size}));
  for (const auto& part : given) BOOST_TEST((part.seq == 2 && part.position == 0 && part.until == 3));
  BOOST_TEST(other->closed == 1);
}

BOOST_FIXTURE_TEST_CASE(who_takes_over_goes_on_as_the_other_would_and_computes_nothing_again, handing_fixture) {
  auto leaver = hand_over_three_tokens();
  auto successor = open_successor();
  for (const auto& part : parts()) BOOST_TEST(send(successor, part)->value.has_value());
  BOOST_TEST(client->restored.size() == 1u);
  BOOST_TEST(status(successor).restored == 3u);
  BOOST_TEST(status(successor).log_bytes == status(leaver).log_bytes);
  const auto passes = span->passes.size();
  out->steps.clear();
  const auto after = chunk(3, 1, /*first=*/9);
  send(leaver, after);
  send(successor, after);
  BOOST_REQUIRE_EQUAL(out->steps.size(), 2u);
  BOOST_TEST(numbers(out->steps[0].hidden) == numbers(out->steps[1].hidden), boost::test_tools::per_element());
  BOOST_TEST(span->passes.size() == passes + 2);
}

BOOST_FIXTURE_TEST_CASE(a_last_hop_has_no_outputs_to_give, handing_fixture) {
  config.last_hop = true;
  hand_over_three_tokens();
  const auto given = parts();
  BOOST_TEST(given.size() == 8u);
  auto successor = open_successor();
  for (const auto& part : given) BOOST_TEST(send(successor, part)->value.has_value());
  BOOST_TEST(client->restored.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(parts_that_do_not_fit_or_are_not_the_restorers_are_refused, handing_fixture) {
  hand_over_three_tokens();
  const auto given = parts();
  auto session = open_successor();
  auto foreign = given[0];
  foreign.from = client_peer;  // who sends its steps
  BOOST_TEST(is_refused(session, foreign, errc::not_yours));
  BOOST_TEST(is_refused(session, given[1], errc::protocol_violation));
  BOOST_TEST(is_refused(session, given[8], errc::protocol_violation));
  auto empty = given[0];
  empty.hidden = model::tensor::of<float>({1, 3, 0}, std::vector<float>{});
  BOOST_TEST(is_refused(session, empty, errc::bad_tensor));
  auto old = given[0];
  old.epoch = edge - 1;
  BOOST_TEST(is_refused(session, old, errc::stale));
  auto too_long = given[0];
  too_long.until = 17;
  BOOST_TEST(is_refused(session, too_long, errc::protocol_violation));

  BOOST_TEST(send(session, given[0])->value.has_value());
  BOOST_TEST(is_refused(session, given[0], errc::protocol_violation));
  auto rows = restored_rows(0, 3, /*until=*/3);
  rows.from = new_upstream;
  BOOST_TEST(is_refused(session, rows, errc::stale));
  BOOST_TEST(client->restored.empty());
}

BOOST_FIXTURE_TEST_CASE(who_is_restored_from_rows_takes_nothing_over, handing_fixture) {
  hand_over_three_tokens();
  auto part = parts()[0];
  part.position = 1;
  part.hidden = part.hidden.slice(1, 1, 3);
  auto session = open_successor();
  auto rows = restored_rows(0, 1, /*until=*/3);
  rows.from = new_upstream;
  BOOST_TEST(send(session, rows)->value.has_value());
  BOOST_TEST(is_refused(session, part, errc::stale));
  BOOST_TEST(client->restored.empty());
  rows = restored_rows(1, 2, /*until=*/3);
  rows.from = new_upstream;
  BOOST_TEST(send(session, rows)->value.has_value());
  BOOST_TEST(client->restored.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(whoever_handed_something_over_is_answered_when_the_successor_ends_meanwhile, handing_fixture) {
  hand_over_three_tokens();
  auto session = open_successor();
  const auto part = start(session, parts()[0]);
  upstream.tell(session, close_atom::value);  // before the block has had its turn
  BOOST_TEST(part->failed_with(errc::unknown_session), part->text());
}

BOOST_FIXTURE_TEST_CASE(what_the_cache_holds_no_more_is_not_handed_over, handing_fixture) {
  auto session = open();
  send(session, chunk(0, 3));
  done = 1;
  send(session, chunk(1, 1));  // truncates
  BOOST_TEST(hand_over(session, 1, 3)->failed_with(errc::gap));
  BOOST_TEST(hand_over(session, 2, 3)->failed_with(errc::gap));
  BOOST_TEST(hand_over(session, 3, 2)->failed_with(errc::gap));
  BOOST_TEST(other->steps.empty());
  BOOST_TEST(hand_over(session, 2, 2)->value.has_value());
  time.settle();
  BOOST_TEST(other->steps.size() == 9u);
}

BOOST_FIXTURE_TEST_CASE(a_session_that_leaves_tells_its_client_and_goes_on, handing_fixture) {
  auto session = open();
  upstream.tell(session, leaving_atom::value);
  BOOST_REQUIRE_EQUAL(client->leaving.size(), 1u);
  BOOST_TEST((client->leaving[0].session == config.id));
  BOOST_TEST(send(session, chunk(0, 2))->value.has_value());
}
