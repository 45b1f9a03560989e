// A session whose neighbours change: accept, restore and relink, with edges that stand for the hops around it.
#include "actors/wire/limits.hpp"
#include "tests/actors/changing_fixture.hpp"

using namespace corolla;
using namespace corolla::actors;
using namespace corolla::tests;
using namespace std::chrono_literals;

namespace {

std::vector<uint64_t> seqs(const received& by) {
  std::vector<uint64_t> result;
  for (const auto& s : by.steps) result.push_back(s.seq);
  return result;
}

std::vector<float> joined(const std::vector<step>& steps) {
  std::vector<float> all;
  for (const auto& s : steps)
    for (const auto value : numbers(s.hidden)) all.push_back(value);
  return all;
}

}  // namespace

// -- accept ---------------------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(
    a_new_upstream_is_told_where_the_session_is_and_the_old_one_is_heard_no_more, changing_fixture) {
  auto session = open();
  send(session, chunk(0, 2));
  send(session, chunk(2, 1));
  auto answer = accept(session, edge + 1);
  BOOST_REQUIRE_MESSAGE(answer->value.has_value(), answer->text());
  BOOST_TEST(answer->value->last == 2u);
  BOOST_TEST(answer->value->position == 3u);
  auto late = step_of(edge, client_peer, 3);
  BOOST_TEST(send(session, late)->failed_with(errc::not_yours));
  late.from = new_upstream;
  BOOST_TEST(send(session, late)->failed_with(errc::stale));
  BOOST_TEST(status(session).dropped == 2u);
  BOOST_TEST(status(session).epoch == edge + 1);
  late.epoch = edge + 1;
  BOOST_TEST(send(session, late)->value.has_value());
  BOOST_TEST(seqs(*out) == (std::vector<uint64_t>{1, 2, 3}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(what_was_taken_by_the_edge_before_counts_though_it_is_not_computed_yet, changing_fixture) {
  auto session = open();
  out->hold = true;
  for (uint32_t i = 0; i < 6; ++i) start(session, chunk(i, 1));
  time.settle();
  BOOST_TEST(status(session).last == wire::limits::untaken_steps);
  auto answer = accept(session, edge + 1);
  BOOST_REQUIRE(answer->value.has_value());
  BOOST_TEST(answer->value->last == 6u);
  BOOST_TEST(answer->value->position == 6u);
}

BOOST_FIXTURE_TEST_CASE(an_epoch_that_is_not_above_the_one_in_force_changes_nothing, changing_fixture) {
  auto session = open();
  for (const auto epoch : {edge, edge - 1, uint64_t{0}}) BOOST_TEST(accept(session, epoch)->failed_with(errc::stale));
  BOOST_TEST(send(session, chunk(0, 1))->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(a_substitute_accepts_nobody_until_it_holds_all_rows, changing_fixture) {
  auto session = open_substitute();
  BOOST_TEST(accept(session, edge + 1)->failed_with(errc::stale));
  send(session, restored_rows(0, 2, /*until=*/3));
  BOOST_TEST(accept(session, edge + 1)->failed_with(errc::stale));
  BOOST_TEST(client->restored.empty());
  BOOST_TEST(status(session).restoring);
  send(session, restored_rows(2, 1, /*until=*/3));
  BOOST_REQUIRE(client->restored.size() == 1u);
  BOOST_TEST(client->restored[0].epoch == edge);
  auto answer = accept(session, edge + 1);
  BOOST_REQUIRE_MESSAGE(answer->value.has_value(), answer->text());
  BOOST_TEST(answer->value->last == 2u);
  BOOST_TEST(answer->value->position == 3u);
  BOOST_TEST(!status(session).restoring);
  BOOST_TEST(status(session).restored == 3u);
  BOOST_TEST(status(session).steps == 0u);
  BOOST_TEST(status(session).client_bytes == 3 * hidden_size * sizeof(float));
}

// -- being restored -------------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_substitute_goes_on_as_the_lost_hop_would_have, changing_fixture) {
  auto whole = open();
  send(whole, chunk(0, 2, /*first=*/1));
  send(whole, chunk(2, 1, /*first=*/1 + 2 * hidden_size));
  send(whole, chunk(3, 1, /*first=*/1 + 3 * hidden_size));
  const auto expected = numbers(out->steps.back().hidden);
  upstream.tell(whole, close_atom::value);
  out->steps.clear();

  auto session = open_substitute();
  send(session, restored_rows(0, 3, /*until=*/3));
  BOOST_TEST(out->steps.empty());  // the hop behind it has these
  send(session, chunk(3, 1, /*first=*/1 + 3 * hidden_size));
  BOOST_REQUIRE(out->steps.size() == 1u);
  BOOST_TEST(out->steps[0].seq == 3u);
  BOOST_TEST(numbers(out->steps[0].hidden) == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_substitute_hands_rows_on_to_the_next_one, changing_fixture) {
  config.next_restoring = true;
  auto session = open_substitute();
  send(session, restored_rows(0, 2, /*until=*/3));
  send(session, restored_rows(2, 1, /*until=*/3));
  send(session, chunk(3, 1));
  BOOST_REQUIRE(out->steps.size() == 3u);
  for (size_t i = 0; i < 2; ++i) {
    BOOST_TEST((out->steps[i].restores == restored_part::rows));
    BOOST_TEST(out->steps[i].seq == 2u);
    BOOST_TEST(out->steps[i].until == 3u);
  }
  BOOST_TEST(out->steps[1].position == 2u);
  BOOST_TEST((out->steps[2].restores == restored_part::none));
  BOOST_TEST(out->steps[2].seq == 3u);
}

BOOST_FIXTURE_TEST_CASE(rows_out_of_their_order_and_steps_before_the_last_row_are_refused, changing_fixture) {
  auto session = open_substitute();
  BOOST_TEST(send(session, restored_rows(1, 1, /*until=*/3))->failed_with(errc::protocol_violation));
  BOOST_TEST(send(session, restored_rows(0, 4, /*until=*/3))->failed_with(errc::protocol_violation));
  BOOST_TEST(send(session, restored_rows(0, 1, /*until=*/17))->failed_with(errc::protocol_violation));
  auto elsewhere = restored_rows(0, 1, /*until=*/3);
  elsewhere.epoch = edge - 1;
  BOOST_TEST(send(session, elsewhere)->failed_with(errc::stale));
  BOOST_TEST(send(session, restored_rows(0, 1, /*until=*/3))->value.has_value());
  BOOST_TEST(send(session, restored_rows(1, 1, /*until=*/4))->failed_with(errc::protocol_violation));
  auto early = chunk(3, 1);
  BOOST_TEST(send(session, early)->failed_with(errc::position_mismatch));
  early.position = 0;
  BOOST_TEST(send(session, early)->failed_with(errc::protocol_violation));
  auto ordered = restored_rows(1, 1, /*until=*/3);
  ordered.hypo_ids = {0};
  BOOST_TEST(send(session, ordered)->failed_with(errc::protocol_violation));
  BOOST_TEST(send(session, restored_rows(1, 2, /*until=*/3))->value.has_value());
  BOOST_TEST(send(session, restored_rows(0, 1, /*until=*/3))->failed_with(errc::stale));
  BOOST_TEST(send(session, early)->value.has_value());
  BOOST_TEST(seqs(*out) == (std::vector<uint64_t>{3}), boost::test_tools::per_element());
}

// -- restore --------------------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(rows_go_to_a_substitute_beside_the_steps_and_steps_follow_after_the_switch, changing_fixture) {
  config.max_length = 140;
  auto session = open();
  send(session, chunk(0, 100));
  send(session, chunk(100, 30, /*first=*/7));
  const auto rows_before = joined(out->steps);
  BOOST_TEST(restore(session, to(edge + 1), 2)->value.has_value());
  BOOST_REQUIRE(other->steps.size() == 3u);  // of 64 tokens
  for (const auto& s : other->steps) {
    BOOST_TEST((s.restores == restored_part::rows));
    BOOST_TEST(s.epoch == edge + 1);
    BOOST_TEST(s.seq == 2u);
    BOOST_TEST(s.until == 130u);
  }
  BOOST_TEST(other->steps[2].position == 128u);
  BOOST_TEST(joined(other->steps) == rows_before, boost::test_tools::per_element());
  send(session, chunk(130, 1));
  BOOST_TEST(out->steps.size() == 3u);
  BOOST_TEST(other->steps.size() == 3u);

  BOOST_TEST(relink(session, to(edge + 1), 2)->value.has_value());
  BOOST_TEST(out->closed == 1);
  send(session, chunk(131, 1));
  BOOST_TEST(out->steps.size() == 3u);
  BOOST_TEST(seqs(*other) == (std::vector<uint64_t>{2, 2, 2, 3, 4}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(rows_that_changed_places_are_restored_in_the_order_they_have, changing_fixture) {
  config.batch = 2;
  auto session = open();
  send(session, chunk(0, 1));
  done = 1;
  auto s = chunk(1, 1, /*first=*/50);
  s.hypo_ids = {1, 0};
  send(session, s);
  BOOST_TEST(restore(session, to(edge + 1), 2)->value.has_value());
  BOOST_REQUIRE(other->steps.size() == 1u);
  const auto first = numbers(out->steps[0].hidden), second = numbers(out->steps[1].hidden);
  std::vector<float> expected;
  for (size_t row = 0; row < 2; ++row) {
    const auto was = first.begin() + (1 - static_cast<int64_t>(row)) * hidden_size;
    expected.insert(expected.end(), was, was + hidden_size);
    const auto is = second.begin() + static_cast<int64_t>(row) * hidden_size;
    expected.insert(expected.end(), is, is + hidden_size);
  }
  BOOST_TEST(numbers(other->steps[0].hidden) == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(rows_that_are_not_kept_cannot_be_restored, changing_fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  send(session, chunk(1, 1));
  done = 2;
  send(session, chunk(2, 1));
  BOOST_TEST(restore(session, to(edge + 1), 1)->failed_with(errc::gap));  // settled: what it truncated would be gone
  BOOST_TEST(restore(session, to(edge + 1), 4)->failed_with(errc::gap));
  BOOST_TEST(restore(session, to(edge), 2)->failed_with(errc::stale));
  BOOST_TEST(other->steps.empty());
  BOOST_TEST(restore(session, to(edge + 1), 2)->value.has_value());
  BOOST_TEST(restore(session, to(edge + 1), 2)->failed_with(errc::stale));
}

BOOST_FIXTURE_TEST_CASE(neither_a_last_hop_nor_a_substitute_that_is_restored_restores_others, changing_fixture) {
  auto substitute = open_substitute();
  BOOST_TEST(restore(substitute, to(edge + 1), 2)->failed_with(errc::gap));
  upstream.tell(substitute, close_atom::value);
  config = make_config();
  config.last_hop = true;
  seq = done = 0;
  auto session = open();
  send(session, chunk(0, 1));
  BOOST_TEST(restore(session, to(edge + 1), 1)->failed_with(errc::gap));
}

BOOST_FIXTURE_TEST_CASE(a_substitute_that_is_gone_is_reported_and_the_next_hop_goes_on, changing_fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  BOOST_TEST(restore(session, to(edge + 1), 1)->value.has_value());
  kill(beside);
  BOOST_REQUIRE(client->lost.size() == 1u);
  BOOST_TEST(client->lost[0].epoch == edge + 1);
  BOOST_TEST(client->lost[0].code == errc::link_lost);
  BOOST_TEST(send(session, chunk(1, 1))->value.has_value());
  BOOST_TEST(out->steps.size() == 2u);
}

// -- relink ---------------------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(steps_after_the_last_that_the_new_edge_had_go_again, changing_fixture) {
  auto session = open();
  for (uint32_t i = 0; i < 3; ++i) send(session, chunk(i, 1));
  BOOST_TEST(relink(session, to(edge + 1), 1)->value.has_value());
  BOOST_TEST(out->closed == 1);
  BOOST_TEST(seqs(*other) == (std::vector<uint64_t>{2, 3}), boost::test_tools::per_element());
  for (const auto& s : other->steps) BOOST_TEST(s.epoch == edge + 1);
  BOOST_TEST(joined(other->steps) == joined({out->steps[1], out->steps[2]}), boost::test_tools::per_element());
  send(session, chunk(3, 1));
  BOOST_TEST(seqs(*other) == (std::vector<uint64_t>{2, 3, 4}), boost::test_tools::per_element());
  BOOST_TEST(out->steps.size() == 3u);
}

BOOST_FIXTURE_TEST_CASE(a_relink_from_elsewhere_or_of_an_older_epoch_changes_nothing, changing_fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  send(session, chunk(1, 1));
  done = 2;
  send(session, chunk(2, 1));
  BOOST_TEST(relink(session, to(edge + 1), 1)->failed_with(errc::gap));
  BOOST_TEST(relink(session, to(edge + 1), 4)->failed_with(errc::gap));
  for (const auto epoch : {edge, edge - 1}) BOOST_TEST(relink(session, to(epoch), 3)->failed_with(errc::stale));
  BOOST_TEST(out->closed == 0);
  send(session, chunk(3, 1));
  BOOST_TEST(out->steps.size() == 4u);
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_cannot_be_found_is_said_and_the_session_waits_for_another, changing_fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  BOOST_TEST(relink(session, to(edge + 1, stranger), 1)->failed_with(errc::unknown_peer));
  BOOST_TEST(restore(session, to(edge + 2, stranger), 1)->failed_with(errc::unknown_peer));
  auto waiting = send(session, chunk(1, 1));
  BOOST_TEST(waiting->value.has_value());  // computed, and kept
  BOOST_TEST(relink(session, to(edge + 3), 1)->value.has_value());
  BOOST_TEST(seqs(*other) == (std::vector<uint64_t>{2}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(an_edge_that_is_found_when_another_is_in_force_is_stale, changing_fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  auto first = relink(session, to(edge + 1, slow), 1);
  BOOST_TEST(first->pending());
  BOOST_TEST(relink(session, to(edge + 2), 1)->value.has_value());
  upstream.tell(finds_slowly, tick_atom::value);
  BOOST_TEST(first->failed_with(errc::stale), first->text());
  BOOST_TEST(other->closed == 1);  // nobody else would end it, nor the stream that it stands for
  send(session, chunk(1, 1));
  BOOST_REQUIRE(other->steps.size() == 1u);
  BOOST_TEST(other->steps[0].epoch == edge + 2);
}

BOOST_FIXTURE_TEST_CASE(a_next_hop_whose_link_was_lost_is_waited_for_until_it_is_heard_of, changing_fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  // The same session at the same peer, which nobody knows at the moment.
  auto same = config.next;
  same.epoch = edge + 1;
  auto relinked = relink(session, same, 0);
  BOOST_TEST(relinked->pending());
  BOOST_REQUIRE(known->awaited.contains(same.peer));
  BOOST_TEST((known->awaited.at(same.peer).first == 2s));
  send(session, chunk(1, 1));  // computed, and kept
  upstream.tell(connects, up_atom::value, same.peer, time.system().spawn(one_peer, edge_actor{beside}));
  BOOST_TEST(relinked->value.has_value());
  BOOST_TEST(seqs(*other) == (std::vector<uint64_t>{1, 2}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_session_that_ends_answers_whoever_waits_for_an_edge_of_it, changing_fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  auto same = config.next;
  same.epoch = edge + 1;
  auto relinked = relink(session, same, 0);
  auto restored = restore(session, to(edge + 2, slow), 1);
  BOOST_TEST(relinked->pending());
  BOOST_TEST(restored->pending());
  upstream.tell(session, close_atom::value);
  BOOST_TEST(relinked->failed_with(errc::unknown_session), relinked->text());
  BOOST_TEST(restored->failed_with(errc::unknown_session), restored->text());
}

BOOST_FIXTURE_TEST_CASE(so_many_edges_are_looked_for_at_a_time, changing_fixture) {
  constexpr uint64_t most = 16;
  auto session = open();
  send(session, chunk(0, 1));
  auto epoch = edge;
  for (uint64_t i = 0; i < most; ++i) BOOST_TEST(relink(session, to(++epoch, slow), 1)->pending());
  BOOST_TEST(relink(session, to(++epoch, slow), 1)->failed_with(errc::overloaded));
  BOOST_TEST(restore(session, to(++epoch, slow), 1)->failed_with(errc::overloaded));
  upstream.tell(finds_slowly, tick_atom::value);
  BOOST_TEST(relink(session, to(++epoch), 1)->value.has_value());
  send(session, chunk(1, 1));
  BOOST_REQUIRE(other->steps.size() == 1u);
  BOOST_TEST(other->steps[0].epoch == epoch);
}

// -- going back -----------------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_next_hop_that_misses_steps_gets_them_again_as_long_as_it_moves, changing_fixture) {
  auto session = open();
  for (uint32_t i = 0; i < 3; ++i) send(session, chunk(i, 1));
  auto misses = [&](uint64_t last) {
    upstream.tell(session, refused_atom::value, step_refused{edge, last + 2, last, errc::gap, "steps are missing"});
  };
  misses(/*last=*/1);
  BOOST_TEST(seqs(*out) == (std::vector<uint64_t>{1, 2, 3, 2, 3}), boost::test_tools::per_element());
  misses(/*last=*/2);
  BOOST_TEST(seqs(*out) == (std::vector<uint64_t>{1, 2, 3, 2, 3, 3}), boost::test_tools::per_element());
  BOOST_TEST(client->lost.empty());
  misses(/*last=*/2);
  BOOST_REQUIRE(client->lost.size() == 1u);
  BOOST_TEST(client->lost[0].code == errc::gap);
  BOOST_TEST(out->closed == 1);
  BOOST_TEST(!ended(session));
}

BOOST_FIXTURE_TEST_CASE(who_misses_what_was_never_sent_is_of_no_use, changing_fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  upstream.tell(session, refused_atom::value, step_refused{edge, 9, 7, errc::gap, "steps are missing"});
  BOOST_REQUIRE(client->lost.size() == 1u);
  BOOST_TEST(out->steps.size() == 1u);
}
