// How sessions end: what is told to whom, and that nothing of them is left.
#include <limits>

#include "tests/actors/session_fixture.hpp"

using namespace corolla;
using namespace corolla::actors;
using namespace corolla::tests;
using namespace std::chrono_literals;

namespace {

block_actor::behavior_type silent_block(block_actor::pointer self) {
  auto promises = std::make_shared<std::vector<caf::typed_response_promise<block_output>>>();
  return {
      [](reserve_atom, const reserve_request&) { return uint64_t{1}; },
      [](release_atom, uint64_t) {},
      [self, promises](step_atom, const block_step&) {
        promises->push_back(self->make_response_promise<block_output>());
        return promises->back();
      },
      [](read_atom, const cache_read&) { return model::tensor{}; },
      [](write_atom, const cache_write&) { return taken{}; },
      [](prompts_atom, const block_prompts&) { return taken{}; },
      [](status_atom) { return block_status{}; }};
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(closing_frees_the_pages_and_answers_what_waits, session_fixture) {
  auto session = open();
  out->hold = true;
  for (int i = 0; i < 5; ++i) start(session, chunk(i, 1));
  time.settle();
  auto waiting = send(session, chunk(5, 1));
  BOOST_TEST(waiting->pending());
  BOOST_TEST(span->used_tokens == config.max_length);
  upstream.tell(session, close_atom::value);
  BOOST_TEST(waiting->failed_with(errc::unknown_session), waiting->text());
  BOOST_TEST(span->used_tokens == 0u);
  BOOST_TEST(ended(session));
  BOOST_TEST(client->failed.empty());
}

BOOST_FIXTURE_TEST_CASE(a_client_that_is_gone_frees_everything, session_fixture) {
  auto session = open();
  send(session, chunk(0, 4));
  BOOST_TEST(span->used_tokens == config.max_length);
  kill(events);
  BOOST_TEST(span->used_tokens == 0u);
  BOOST_TEST(ended(session));
}

BOOST_FIXTURE_TEST_CASE(a_killed_session_frees_everything_too, session_fixture) {
  auto session = open();
  out->hold = true;
  for (int i = 0; i < 5; ++i) start(session, chunk(i, 1));
  time.settle();
  auto waiting = send(session, chunk(5, 1));
  caf::anon_send_exit(session, caf::exit_reason::kill);
  time.settle();
  BOOST_TEST(!waiting->pending());
  BOOST_TEST(span->used_tokens == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_next_hop_that_is_gone_is_reported_and_the_session_lives, session_fixture) {
  auto session = open();
  send(session, chunk(0, 4));
  kill(next);
  BOOST_REQUIRE(client->lost.size() == 1u);
  BOOST_TEST(client->lost[0].epoch == edge);
  BOOST_TEST(client->lost[0].code == errc::link_lost);
  BOOST_TEST(client->failed.empty());
  BOOST_TEST(!ended(session));
  upstream.tell(session, close_atom::value);
  BOOST_TEST(span->used_tokens == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_next_hop_that_refuses_is_reported_once_with_its_words, session_fixture) {
  auto session = open();
  out->refusal = make_error(errc::position_mismatch, "that is too far");
  start(session, chunk(0, 1));
  start(session, chunk(1, 1));
  time.settle();
  BOOST_REQUIRE(client->lost.size() == 1u);
  BOOST_TEST(client->lost[0].code == errc::position_mismatch);
  BOOST_TEST(
      client->lost[0].text == "the next hop " + config.next.peer.to_string() + " refused step 1: that is too far");
  BOOST_TEST(out->closed == 1);
  BOOST_TEST(!ended(session));
}

BOOST_FIXTURE_TEST_CASE(a_refusal_of_what_was_taken_is_reported_unless_it_is_of_an_older_edge, session_fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  upstream.tell(session, refused_atom::value, step_refused{edge - 1, 1, 0, errc::stale, "of an older edge"});
  BOOST_TEST(client->lost.empty());
  upstream.tell(session, refused_atom::value, step_refused{edge, 1, 0, errc::stale, "of an older edge"});
  BOOST_REQUIRE(client->lost.size() == 1u);
  BOOST_TEST(client->lost[0].code == errc::stale);
  BOOST_TEST(!ended(session));
}

BOOST_FIXTURE_TEST_CASE(a_next_hop_that_stays_silent_is_reported_in_time, session_fixture) {
  auto session = open();
  out->hold = true;
  send(session, chunk(0, 1));
  time.pass(config.step_timeout - 1ms);
  BOOST_TEST(client->lost.empty());
  time.pass(1ms);
  BOOST_REQUIRE(client->lost.size() == 1u);
  BOOST_TEST(client->lost[0].code == errc::timed_out);
  time.pass(config.step_timeout * 3);
  BOOST_TEST(client->lost.size() == 1u);
  BOOST_TEST(!ended(session));
}

BOOST_FIXTURE_TEST_CASE(a_block_that_stays_silent_fails_the_step_and_ends_the_session, session_fixture) {
  auto silent = time.system().spawn(silent_block);
  config.block = silent;
  auto session = open();
  auto s = send(session, chunk(0, 1));
  time.pass(config.step_timeout - 1ms);
  BOOST_TEST(s->pending());
  time.pass(1ms);
  BOOST_TEST(s->failed_with(errc::timed_out), s->text());
  BOOST_TEST(failure() == errc::timed_out);
  BOOST_TEST(ended(session));
  config.block = nullptr;
  kill(silent);
}

BOOST_FIXTURE_TEST_CASE(one_sessions_nan_ends_that_session_alone, session_fixture) {
  auto bad = open(), good = open();
  auto s = chunk(0, 1);
  auto poisoned = s;
  std::vector<float> values(hidden_size, std::numeric_limits<float>::infinity());
  poisoned.hidden = model::tensor::of<float>({1, 1, hidden_size}, values);
  auto failing = start(bad, poisoned), passing = start(good, s);
  time.settle();
  BOOST_TEST(failing->failed_with(errc::not_finite), failing->text());
  BOOST_TEST(passing->value.has_value());
  BOOST_TEST(failure() == errc::not_finite);
  BOOST_TEST(client->failed.size() == 1u);
  BOOST_TEST(ended(bad));
  BOOST_TEST(!ended(good));
  BOOST_TEST(span->used_tokens == config.max_length);
}

BOOST_FIXTURE_TEST_CASE(a_failing_pass_ends_the_session_and_all_its_steps_hear_why, session_fixture) {
  auto session = open();
  span->next_failure = "the device is gone";
  auto first = start(session, chunk(0, 1)), second = start(session, chunk(1, 1));
  time.settle();
  for (const auto& s : {first, second}) {
    BOOST_TEST(s->failed_with(errc::compute_failed));
    BOOST_TEST(s->text().find("the device is gone") != std::string::npos, s->text());
  }
  BOOST_TEST(failure() == errc::compute_failed);
  BOOST_TEST(span->used_tokens == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_block_that_is_gone_ends_even_an_idle_session, session_fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  caf::anon_send_exit(block, caf::exit_reason::kill);
  time.settle();
  BOOST_TEST(failure() == errc::compute_failed);
  BOOST_TEST(ended(session));
  span->used_tokens = 0;  // went with the span
}

BOOST_FIXTURE_TEST_CASE(a_stop_ends_sessions_as_they_compute, session_fixture) {
  auto session = open();
  span->between_blocks = [this] { *stop = true; };
  auto s = send(session, chunk(0, 1));
  BOOST_TEST(s->failed_with(errc::stopping), s->text());
  BOOST_TEST(failure() == errc::stopping);
}

BOOST_FIXTURE_TEST_CASE(the_log_never_outgrows_its_room, session_fixture) {
  auto session = open();
  for (int round = 0; round < 5; ++round) {
    // Over and over from position 1, to the end.
    done = seq;
    auto s = send(session, chunk(round == 0 ? 0 : 1, round == 0 ? 16 : 15));
    BOOST_REQUIRE(s->value.has_value());
    BOOST_TEST(status(session).log_bytes <= config.log_bytes);
  }
  BOOST_TEST(client->failed.empty());
}
