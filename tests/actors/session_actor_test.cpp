#include "actors/session_actor.hpp"

#include <boost/test/unit_test.hpp>
#include <algorithm>
#include <deque>
#include <limits>
#include <numeric>

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/block_actor.hpp"
#include "actors/wire/limits.hpp"
#include "tests/support/fake_span.hpp"
#include "tests/support/virtual_time.hpp"

using namespace corolla;
using namespace corolla::actors;
using namespace corolla::tests;
using namespace std::chrono_literals;

namespace {

constexpr int64_t hidden_size = 4;
constexpr uint64_t cache_tokens = 1000;
constexpr uint64_t edge = 5;

peer_id peer(uint8_t number) {
  peer_id id;
  id.bytes.fill(number);
  return id;
}
const auto client_peer = peer(1), stranger = peer(9);

model::tensor rows(uint32_t batch, int64_t tokens, float first = 1) {
  std::vector<float> values(batch * tokens * hidden_size);
  std::iota(values.begin(), values.end(), first);
  return model::tensor::of<float>({batch, tokens, hidden_size}, values);
}

std::vector<float> numbers(const model::tensor& t) {
  auto as_float = t.to(model::dtype::float32);
  auto values = as_float.as<float>();
  return {values.begin(), values.end()};
}

// What arrived at the end of a chain, and how it is answered.
struct received {
  std::vector<step> steps;
  std::deque<caf::typed_response_promise<taken>> untaken;
  bool hold = false;   // keeps outputs untaken
  caf::error refusal;  // if not empty, for every step
};
using received_ptr = std::shared_ptr<received>;

// A sink that is told (tick) to take the oldest step that it holds.
using sink_actor = step_sink_actor::extend<caf::reacts_to<tick_atom>>;

sink_actor::behavior_type sink(sink_actor::pointer self, received_ptr log) {
  return {
    [self, log](step_atom, const step& s) -> caf::result<taken> {
      log->steps.push_back(s);
      if (log->refusal) return log->refusal;
      if (!log->hold) return taken{};
      log->untaken.push_back(self->make_response_promise<taken>());
      return log->untaken.back();
    },
    [log](tick_atom) {
      log->untaken.front().deliver(taken{});
      log->untaken.pop_front();
    }};
}

struct heard {
  std::vector<applied> done;
  std::vector<session_failed> failed;
};
session_events_actor::behavior_type listener(session_events_actor::pointer, std::shared_ptr<heard> log) {
  return {
    [log](applied_atom, const applied& event) { log->done.push_back(event); },
    [log](failed_atom, const session_failed& event) { log->failed.push_back(event); }};
}

// Stands for the link between two servers: stamps whose steps they are.
step_sink_actor::behavior_type link_from(step_sink_actor::pointer self, peer_id from, session_actor to) {
  return {[self, from, to](step_atom, step& s) {
    s.from = from;
    return self->delegate(to, step_atom::value, std::move(s));
  }};
}

block_actor::behavior_type silent_block(block_actor::pointer self) {
  auto promises = std::make_shared<std::vector<caf::typed_response_promise<block_output>>>();
  return {
    [](reserve_atom, const reserve_request&) { return uint64_t{1}; },
    [](release_atom, uint64_t) {},
    [self, promises](step_atom, const block_step&) {
      promises->push_back(self->make_response_promise<block_output>());
      return promises->back();
    },
    [](status_atom) { return block_status{}; }};
}

struct fixture {
  virtual_time time;
  std::shared_ptr<fake_span::controls> span = std::make_shared<fake_span::controls>();
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
  block_actor block = make_block({0, 8}, span);
  received_ptr out = std::make_shared<received>();
  std::shared_ptr<heard> client = std::make_shared<heard>();
  sink_actor next = time.system().spawn(sink, out);
  session_events_actor events = time.system().spawn(listener, client);
  user upstream{time};
  session_config config = make_config();
  uint64_t seq = 0;
  uint64_t done = 0;

  ~fixture() {
    // Whatever a test did: once its sessions are gone, so are their pages.
    kill(events);
    BOOST_TEST(span->used_tokens == 0u);
    out->untaken.clear();
    kill(block);
    kill(next);
  }
  template <class Actor>
  void kill(Actor& actor) {
    caf::anon_send_exit(actor, caf::exit_reason::kill);
    actor = nullptr;
    time.settle();
  }

  block_actor make_block(model::block_range blocks, const std::shared_ptr<fake_span::controls>& controls) {
    block_options options;
    options.detached = false;
    return spawn_block(time.system(), std::make_unique<fake_span>(blocks, hidden_size, cache_tokens, controls), stop, options);
  }

  session_config make_config() const {
    session_config c;
    c.id.bytes.fill(7);
    c.client = c.upstream = client_peer;
    c.epoch = edge;
    c.blocks = {0, 8};
    c.max_length = 16;
    c.hidden_size = hidden_size;
    c.block = block;
    c.events = events;
    c.step_timeout = 10s;
    return c;
  }

  new_session_actor spawn_unattached() {
    reserve_request room{config.blocks, config.batch, config.max_length, 0ms};
    config.cache = upstream.ask<uint64_t>(config.block, reserve_atom::value, room)->value.value();
    config.log_bytes = uint64_t{config.batch} * config.max_length * hidden_size * model::size_of(config.wire);
    return spawn_session(time.system(), config);
  }
  session_actor open() { return open_to(next); }
  session_actor open_to(const step_sink_actor& sink_of_outputs) {
    auto session = spawn_unattached();
    upstream.tell(session, attach_atom::value, sink_of_outputs);
    return session;
  }

  step chunk(uint32_t position, int64_t tokens, float first = 1) {
    step s;
    s.epoch = edge;
    s.seq = ++seq;
    s.done = done;
    s.position = position;
    s.wanted = rows_wanted::all;
    s.hidden = rows(config.batch, tokens, first);
    s.from = config.upstream;
    return s;
  }
  answer_ptr<taken> send(const session_actor& to, step s) { return upstream.ask<taken>(to, step_atom::value, std::move(s)); }
  answer_ptr<taken> start(const session_actor& to, step s) {
    return upstream.start<taken>(to, step_atom::value, std::move(s));
  }
  session_status status(const session_actor& of) {
    return upstream.ask<session_status>(of, status_atom::value)->value.value();
  }
  bool ended(const session_actor& session) {
    auto answer = upstream.ask<session_status>(session, status_atom::value);
    return answer->error.has_value() && *answer->error == caf::sec::request_receiver_down;
  }
  errc failure() { return client->failed.empty() ? errc{} : client->failed.front().code; }
};

}  // namespace

namespace corolla::actors {

std::ostream& operator<<(std::ostream& out, errc code) { return out << to_string(code); }

}  // namespace corolla::actors

// -- the way of a step ----------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_step_goes_through_the_block_to_the_next_hop_and_the_client_hears_of_it, fixture) {
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

BOOST_FIXTURE_TEST_CASE(chunks_flow_without_waiting_and_give_what_one_step_gives, fixture) {
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

BOOST_FIXTURE_TEST_CASE(two_sessions_in_a_chain_give_what_one_over_all_blocks_gives, fixture) {
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

BOOST_FIXTURE_TEST_CASE(outputs_have_the_type_of_the_wire, fixture) {
  config.wire = model::dtype::bfloat16;
  auto session = open();
  auto s = chunk(0, 2);
  s.hidden = s.hidden.to(model::dtype::bfloat16);
  send(session, s);
  BOOST_REQUIRE_EQUAL(out->steps.size(), 1u);
  BOOST_TEST((out->steps[0].hidden.type() == model::dtype::bfloat16));
  BOOST_TEST(status(session).log_bytes == 2 * hidden_size * 2u);
}

BOOST_FIXTURE_TEST_CASE(the_last_hop_sends_the_rows_that_are_wanted, fixture) {
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

BOOST_FIXTURE_TEST_CASE(the_last_hop_logs_only_what_the_client_has_not, fixture) {
  config.last_hop = true;
  auto session = open();
  send(session, chunk(0, 2));
  send(session, chunk(2, 1));
  BOOST_TEST(status(session).log_bytes == 3 * hidden_size * sizeof(float));
  done = 2;
  send(session, chunk(3, 1));
  BOOST_TEST(status(session).log_bytes == 1 * hidden_size * sizeof(float));
}

BOOST_FIXTURE_TEST_CASE(steps_wait_until_the_next_hop_is_known, fixture) {
  auto session = spawn_unattached();
  auto early = send(session, chunk(0, 1));
  BOOST_TEST(early->pending());
  upstream.tell(session, attach_atom::value, step_sink_actor{next});
  BOOST_TEST(early->value.has_value(), early->text());
  BOOST_TEST(out->steps.size() == 1u);
}

// -- order ----------------------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_rollback_recomputes_from_where_it_goes_back_to, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_step_without_tokens_only_truncates_and_is_handed_on, fixture) {
  auto session = open();
  send(session, chunk(0, 4));
  done = seq;
  auto truncating = send(session, chunk(1, 0));
  BOOST_TEST(truncating->value.has_value(), truncating->text());
  BOOST_REQUIRE_EQUAL(out->steps.size(), 2u);
  BOOST_TEST((out->steps[1].hidden.dims() == model::shape{1, 0, hidden_size}));
  BOOST_TEST(status(session).position == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_reordering_is_applied_and_handed_on, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_step_that_came_before_is_dropped_unread, fixture) {
  auto session = open();
  auto s = chunk(0, 2);
  send(session, s);
  s.hidden = rows(3, 1);  // unread: not even its shape counts
  BOOST_TEST(send(session, s)->value.has_value());
  BOOST_TEST(out->steps.size() == 1u);
  BOOST_TEST(status(session).dropped == 1u);
  BOOST_TEST(status(session).steps == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_missing_step_is_named_and_the_session_goes_on, fixture) {
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

BOOST_FIXTURE_TEST_CASE(steps_of_another_edge_are_stale, fixture) {
  auto session = open();
  auto s = chunk(0, 1);
  s.epoch = edge - 1;
  BOOST_TEST(send(session, s)->failed_with(errc::stale));
  BOOST_TEST(status(session).dropped == 1u);
  s.epoch = edge;
  BOOST_TEST(send(session, s)->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(steps_of_another_peer_are_not_looked_at, fixture) {
  auto session = open();
  auto s = chunk(0, 1);
  s.from = stranger;
  BOOST_TEST(send(session, s)->failed_with(errc::not_yours));
  BOOST_TEST(status(session).dropped == 1u);
  s.from = client_peer;
  BOOST_TEST(send(session, s)->value.has_value());
}

BOOST_FIXTURE_TEST_CASE(a_position_beyond_the_session_changes_nothing, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_tensor_that_does_not_fit_changes_nothing, fixture) {
  auto session = open();
  auto s = chunk(0, 1);
  auto fails = [&](const step& bad) {
    auto refused = send(session, bad);
    BOOST_TEST(refused->failed_with(errc::bad_tensor), refused->text());
  };
  for (const auto& hidden : {rows(2, 1), rows(1, 17), rows(1, 1).reshaped({1, 2, 2}), rows(1, 1).reshaped({hidden_size}),
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

BOOST_FIXTURE_TEST_CASE(a_truncation_while_others_are_under_way_breaks_the_protocol, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_next_hop_that_takes_nothing_stops_the_block, fixture) {
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

BOOST_FIXTURE_TEST_CASE(two_sessions_decode_in_one_pass, fixture) {
  auto one = open(), other = open();
  auto s = chunk(0, 1);
  start(one, s);
  start(other, s);
  time.settle();
  BOOST_TEST(out->steps.size() == 2u);
  BOOST_REQUIRE_EQUAL(span->passes.size(), 1u);
  BOOST_TEST(span->passes[0].size() == 2u);
}

// -- ends -----------------------------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(closing_frees_the_pages_and_answers_what_waits, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_client_that_is_gone_frees_everything, fixture) {
  auto session = open();
  send(session, chunk(0, 4));
  BOOST_TEST(span->used_tokens == config.max_length);
  kill(events);
  BOOST_TEST(span->used_tokens == 0u);
  BOOST_TEST(ended(session));
}

BOOST_FIXTURE_TEST_CASE(a_killed_session_frees_everything_too, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_next_hop_that_is_gone_is_reported, fixture) {
  auto session = open();
  send(session, chunk(0, 4));
  kill(next);
  BOOST_TEST(failure() == errc::link_lost);
  BOOST_TEST(ended(session));
  BOOST_TEST(span->used_tokens == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_next_hop_that_refuses_ends_the_session_with_its_words, fixture) {
  auto session = open();
  out->refusal = make_error(errc::position_mismatch, "that is too far");
  send(session, chunk(0, 1));
  BOOST_TEST(failure() == errc::position_mismatch);
  BOOST_TEST(client->failed.front().text == "the next hop did not take step 1: that is too far");
  BOOST_TEST(ended(session));
}

BOOST_FIXTURE_TEST_CASE(a_refusal_of_what_was_taken_ends_the_session_with_its_words, fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  upstream.tell(session, refused_atom::value, step_refused{1, 0, errc::stale, "of an older edge"});
  BOOST_TEST(failure() == errc::stale);
  BOOST_TEST(client->failed.front().text == "the next hop refused step 1: of an older edge");
  BOOST_TEST(ended(session));
}

BOOST_FIXTURE_TEST_CASE(a_next_hop_that_stays_silent_ends_the_session_in_time, fixture) {
  auto session = open();
  out->hold = true;
  send(session, chunk(0, 1));
  time.pass(config.step_timeout - 1ms);
  BOOST_TEST(client->failed.empty());
  time.pass(1ms);
  BOOST_TEST(failure() == errc::timed_out);
  BOOST_TEST(ended(session));
}

BOOST_FIXTURE_TEST_CASE(a_block_that_stays_silent_fails_the_step_and_ends_the_session, fixture) {
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

BOOST_FIXTURE_TEST_CASE(one_sessions_nan_ends_that_session_alone, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_failing_pass_ends_the_session_and_all_its_steps_hear_why, fixture) {
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

BOOST_FIXTURE_TEST_CASE(a_block_that_is_gone_ends_even_an_idle_session, fixture) {
  auto session = open();
  send(session, chunk(0, 1));
  caf::anon_send_exit(block, caf::exit_reason::kill);
  time.settle();
  BOOST_TEST(failure() == errc::compute_failed);
  BOOST_TEST(ended(session));
  span->used_tokens = 0;  // went with the span
}

BOOST_FIXTURE_TEST_CASE(a_stop_ends_sessions_as_they_compute, fixture) {
  auto session = open();
  span->between_blocks = [this] { *stop = true; };
  auto s = send(session, chunk(0, 1));
  BOOST_TEST(s->failed_with(errc::stopping), s->text());
  BOOST_TEST(failure() == errc::stopping);
}

BOOST_FIXTURE_TEST_CASE(the_log_never_outgrows_its_room, fixture) {
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
