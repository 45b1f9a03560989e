#include "actors/wire/limits.hpp"
#include "tests/actors/session_fixture.hpp"

using namespace corolla;
using namespace corolla::actors;
using namespace corolla::tests;
using namespace std::chrono_literals;

// -- the way of a step ----------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_step_goes_through_the_block_to_the_next_hop_and_the_client_hears_of_it, session_fixture) {
  auto session = open();
  auto s = chunk(0, 2);
  s.wanted = rows_wanted::last;
  BOOST_TEST(send(session, s)->value.has_value());
  BOOST_REQUIRE_EQUAL(out->steps.size(), 1u);
  const auto& output = out->steps[0];
  BOOST_TEST(output.seq == 1u);
  BOOST_TEST(output.epoch == edge);
  BOOST_TEST(output.position == 0u);
  BOOST_TEST((output.wanted == rows_wanted::last));
  BOOST_TEST((output.hidden.dims() == model::shape{1, 2, hidden_size}));
  BOOST_TEST(numbers(output.hidden) != numbers(s.hidden), boost::test_tools::per_element());
  BOOST_REQUIRE_EQUAL(client->done.size(), 1u);
  BOOST_TEST(client->done[0].seq == 1u);
  BOOST_TEST((client->done[0].session == config.id));
  auto now = status(session);
  BOOST_TEST(now.last == 1u);
  BOOST_TEST(now.steps == 1u);
  BOOST_TEST(now.position == 2u);
  BOOST_TEST(now.log_bytes == 2 * hidden_size * sizeof(float));
}

BOOST_FIXTURE_TEST_CASE(a_session_counts_the_bytes_that_came_and_from_whom, session_fixture) {
  constexpr uint64_t row = hidden_size * sizeof(float);
  auto first = open();
  send(first, chunk(0, 3));
  auto again = chunk(3, 1);
  send(first, again);
  send(first, again);
  auto now = status(first);
  BOOST_TEST(now.client_bytes == 5 * row);  // what was dropped came as well
  BOOST_TEST(now.server_bytes == 0u);
  auto strange = chunk(4, 1);
  strange.from = peer(5);
  BOOST_TEST(send(first, strange)->failed_with(errc::not_yours));
  BOOST_TEST(status(first).server_bytes == 0u);
  upstream.tell(first, close_atom::value);

  seq = 0;
  config.upstream = peer(2);
  auto second = open();
  time.pass(1500ms);
  send(second, chunk(0, 2));
  now = status(second);
  BOOST_TEST(now.client_bytes == 0u);
  BOOST_TEST(now.server_bytes == 2 * row);
  BOOST_TEST((now.age == 1500ms));
}

BOOST_FIXTURE_TEST_CASE(chunks_flow_without_waiting_and_give_what_one_step_gives, session_fixture) {
  auto session = open();
  std::vector<answer_ptr<taken>> answers;
  for (int i = 0; i < 10; ++i) answers.push_back(start(session, chunk(i, 1, 1 + i * hidden_size)));
  time.settle();
  std::vector<float> joined;
  for (const auto& s : out->steps)
    for (auto v : numbers(s.hidden)) joined.push_back(v);
  for (const auto& a : answers) BOOST_TEST(a->value.has_value(), a->text());
  upstream.tell(session, close_atom::value);

  seq = 0;
  out->steps.clear();
  send(open(), chunk(0, 10));
  BOOST_REQUIRE_EQUAL(out->steps.size(), 1u);
  BOOST_TEST(joined == numbers(out->steps[0].hidden), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(two_sessions_in_a_chain_give_what_one_over_all_blocks_gives, session_fixture) {
  auto whole = open();
  for (int i = 0; i < 3; ++i) send(whole, chunk(i * 2, 2, 1 + i));
  auto wanted = std::exchange(out->steps, {});
  upstream.tell(whole, close_atom::value);

  seq = 0;
  config.blocks = {3, 8};
  config.upstream = peer(2);
  auto second = open();
  auto link = time.system().spawn(link_from, peer(2), second);
  config = make_config();
  config.blocks = {0, 3};
  auto first = open_to(link);
  for (int i = 0; i < 3; ++i) start(first, chunk(i * 2, 2, 1 + i));
  time.settle();
  BOOST_REQUIRE_EQUAL(out->steps.size(), 3u);
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(numbers(out->steps[i].hidden) == numbers(wanted[i].hidden), boost::test_tools::per_element());
  // Two hops, each told the client.
  BOOST_TEST(client->done.size() == 3u + 6u);
}

BOOST_FIXTURE_TEST_CASE(every_step_of_a_prompt_is_reported_and_of_decode_steps_the_latest_in_time, session_fixture) {
  auto session = open();
  auto reported = [&] {
    std::vector<uint64_t> seqs;
    for (const auto& event : client->done) seqs.push_back(event.seq);
    return seqs;
  };
  send(session, chunk(0, 2));
  send(session, chunk(2, 2));
  send(session, chunk(4, 1));
  BOOST_TEST(reported() == (std::vector<uint64_t>{1, 2, 3}), boost::test_tools::per_element());
  send(session, chunk(5, 1));
  send(session, chunk(6, 1));
  time.pass(124ms);
  BOOST_TEST(client->done.size() == 3u);
  time.pass(1ms);
  BOOST_TEST(reported() == (std::vector<uint64_t>{1, 2, 3, 5}), boost::test_tools::per_element());
  // Nothing more to say.
  time.pass(1s);
  BOOST_TEST(client->done.size() == 4u);
}

BOOST_FIXTURE_TEST_CASE(outputs_have_the_type_of_the_wire, session_fixture) {
  config.wire = model::dtype::bfloat16;
  auto session = open();
  auto s = chunk(0, 2);
  s.hidden = s.hidden.to(model::dtype::bfloat16);
  send(session, s);
  BOOST_REQUIRE_EQUAL(out->steps.size(), 1u);
  BOOST_TEST((out->steps[0].hidden.type() == model::dtype::bfloat16));
  BOOST_TEST(status(session).log_bytes == 2 * hidden_size * 2u);
}

BOOST_FIXTURE_TEST_CASE(the_last_hop_sends_the_rows_that_are_wanted, session_fixture) {
  config.last_hop = true;
  config.batch = 2;
  auto session = open();
  auto send_wanting = [&](uint32_t position, rows_wanted wanted) {
    auto s = chunk(position, 3);
    s.wanted = wanted;
    send(session, s);
    return out->steps.back().hidden;
  };
  auto all = send_wanting(0, rows_wanted::all);
  BOOST_TEST((all.dims() == model::shape{2, 3, hidden_size}));
  done = seq;
  auto last = send_wanting(0, rows_wanted::last);  // from the start again: the same values
  BOOST_TEST((last.dims() == model::shape{2, 1, hidden_size}));
  BOOST_TEST(numbers(last) == numbers(all.slice(1, 2, 3)), boost::test_tools::per_element());
  done = seq;
  auto none = send_wanting(3, rows_wanted::none);
  BOOST_TEST((none.dims() == model::shape{2, 0, hidden_size}));
}

BOOST_FIXTURE_TEST_CASE(the_last_hop_logs_only_what_the_client_has_not, session_fixture) {
  config.last_hop = true;
  auto session = open();
  send(session, chunk(0, 2));
  send(session, chunk(2, 1));
  BOOST_TEST(status(session).log_bytes == 3 * hidden_size * sizeof(float));
  done = 2;
  send(session, chunk(3, 1));
  BOOST_TEST(status(session).log_bytes == 1 * hidden_size * sizeof(float));
}

BOOST_FIXTURE_TEST_CASE(until_the_next_hop_is_known_no_more_is_computed_than_it_may_leave_untaken, session_fixture) {
  auto session = spawn_unattached();
  std::vector<answer_ptr<taken>> answers;
  for (uint32_t i = 0; i <= wire::limits::untaken_steps; ++i) answers.push_back(start(session, chunk(i, 1)));
  time.settle();
  BOOST_TEST(status(session).steps == wire::limits::untaken_steps);
  BOOST_TEST(answers.back()->pending());
  upstream.tell(session, attach_atom::value, edge_actor{next});
  for (const auto& a : answers) BOOST_TEST(a->value.has_value(), a->text());
  BOOST_TEST(out->steps.size() == answers.size());
}

// -- order ----------------------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_rollback_recomputes_from_where_it_goes_back_to, session_fixture) {
  auto session = open();
  send(session, chunk(0, 4));
  done = seq;
  auto first = numbers(out->steps.back().hidden.slice(1, 2, 4));
  send(session, chunk(2, 2, /*first=*/1 + 2 * hidden_size));
  BOOST_TEST(numbers(out->steps.back().hidden) == first, boost::test_tools::per_element());
  BOOST_TEST(status(session).position == 4u);
  done = seq;
  send(session, chunk(1, 1));
  BOOST_TEST(status(session).position == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_step_without_tokens_only_truncates_and_is_handed_on, session_fixture) {
  auto session = open();
  send(session, chunk(0, 4));
  done = seq;
  auto truncating = send(session, chunk(1, 0));
  BOOST_TEST(truncating->value.has_value(), truncating->text());
  BOOST_REQUIRE_EQUAL(out->steps.size(), 2u);
  BOOST_TEST((out->steps[1].hidden.dims() == model::shape{1, 0, hidden_size}));
  BOOST_TEST(status(session).position == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_reordering_is_applied_and_handed_on, session_fixture) {
  config.batch = 2;
  auto session = open();
  send(session, chunk(0, 2));
  done = seq;
  auto s = chunk(2, 1);
  s.hypo_ids = {1, 1};
  // Two equal rows after the same past give equal outputs.
  std::vector<float> same(2 * hidden_size, 3);
  s.hidden = model::tensor::of<float>({2, 1, hidden_size}, same);
  send(session, s);
  BOOST_REQUIRE_EQUAL(out->steps.size(), 2u);
  BOOST_TEST((out->steps[1].hypo_ids == std::vector<uint32_t>{1, 1}));
  auto output = numbers(out->steps[1].hidden);
  BOOST_TEST(std::equal(output.begin(), output.begin() + hidden_size, output.begin() + hidden_size));
}

BOOST_FIXTURE_TEST_CASE(a_step_that_came_before_is_dropped_unread, session_fixture) {
  auto session = open();
  auto s = chunk(0, 2);
  send(session, s);
  s.hidden = rows(3, 1);  // unread: not even its shape counts
  BOOST_TEST(send(session, s)->value.has_value());
  BOOST_TEST(out->steps.size() == 1u);
  BOOST_TEST(status(session).dropped == 1u);
  BOOST_TEST(status(session).steps == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_missing_step_is_named_and_the_session_goes_on, session_fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  auto second = chunk(1, 1);
  auto third = send(session, chunk(2, 1));
  BOOST_TEST(third->failed_with(errc::gap));
  BOOST_TEST(third->text().find("1 was the last") != std::string::npos, third->text());
  BOOST_TEST(send(session, second)->value.has_value());
  seq = 2;
  BOOST_TEST(send(session, chunk(2, 1))->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(steps_of_another_edge_are_stale, session_fixture) {
  auto session = open();
  auto s = chunk(0, 1);
  s.epoch = edge - 1;
  BOOST_TEST(send(session, s)->failed_with(errc::stale));
  BOOST_TEST(status(session).dropped == 1u);
  s.epoch = edge;
  BOOST_TEST(send(session, s)->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(steps_of_another_peer_are_not_looked_at, session_fixture) {
  auto session = open();
  auto s = chunk(0, 1);
  s.from = stranger;
  BOOST_TEST(send(session, s)->failed_with(errc::not_yours));
  BOOST_TEST(status(session).dropped == 1u);
  s.from = client_peer;
  BOOST_TEST(send(session, s)->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(a_position_beyond_the_session_changes_nothing, session_fixture) {
  auto session = open();
  send(session, chunk(0, 4));
  for (auto [position, tokens] : {std::pair{5u, 1}, std::pair{4u, 13}, std::pair{UINT32_MAX, 1}}) {
    auto s = chunk(position, tokens);
    seq = 1;
    auto refused = send(session, s);
    BOOST_TEST(refused->failed_with(errc::position_mismatch), refused->text());
  }
  BOOST_TEST(send(session, chunk(4, 12))->value.has_value());
  BOOST_TEST(client->failed.empty());
}

BOOST_FIXTURE_TEST_CASE(a_tensor_that_does_not_fit_changes_nothing, session_fixture) {
  auto session = open();
  auto s = chunk(0, 1);
  auto fails = [&](const step& bad) {
    auto refused = send(session, bad);
    BOOST_TEST(refused->failed_with(errc::bad_tensor), refused->text());
  };
  for (const auto& hidden :
       {rows(2, 1), rows(1, 17), rows(1, 1).reshaped({1, 2, 2}), rows(1, 1).reshaped({hidden_size}),
        rows(1, 1).to(model::dtype::float16)}) {
    auto bad = s;
    bad.hidden = hidden;
    fails(bad);
  }
  auto bad = s;
  bad.hypo_ids = {1};
  fails(bad);
  bad.hypo_ids = {0, 0};
  fails(bad);
  BOOST_TEST(span->passes.empty());
  BOOST_TEST(send(session, s)->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(a_truncation_while_others_are_under_way_breaks_the_protocol, session_fixture) {
  auto session = open();
  send(session, chunk(0, 4));
  BOOST_TEST(send(session, chunk(1, 1))->failed_with(errc::protocol_violation));
  seq = 1;
  auto s = chunk(1, 1);
  s.done = 2;  // nobody has sent that
  BOOST_TEST(send(session, s)->failed_with(errc::protocol_violation));
  s.done = 1;
  BOOST_TEST(send(session, s)->value.has_value());
}

// -- the window -----------------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_next_hop_that_takes_nothing_stops_the_block, session_fixture) {
  auto session = open();
  out->hold = true;
  std::vector<answer_ptr<taken>> answers;
  for (int i = 0; i < 10; ++i) answers.push_back(send(session, chunk(i, 1)));
  BOOST_TEST(out->steps.size() == wire::limits::untaken_steps);
  BOOST_TEST(span->passes.size() == wire::limits::untaken_steps);
  BOOST_TEST(answers[3]->value.has_value());
  BOOST_TEST(answers[4]->pending());
  upstream.tell(next, tick_atom::value);
  BOOST_TEST(out->steps.size() == wire::limits::untaken_steps + 1u);
  while (!out->untaken.empty()) upstream.tell(next, tick_atom::value);
  BOOST_TEST(out->steps.size() == 10u);
  for (const auto& a : answers) BOOST_TEST(a->value.has_value(), a->text());
}

BOOST_FIXTURE_TEST_CASE(two_sessions_decode_in_one_pass, session_fixture) {
  auto one = open(), other = open();
  auto s = chunk(0, 1);
  start(one, s);
  start(other, s);
  time.settle();
  BOOST_TEST(out->steps.size() == 2u);
  BOOST_REQUIRE_EQUAL(span->passes.size(), 1u);
  BOOST_TEST(span->passes[0].size() == 2u);
}
