// The link's state machine: what it takes, what it refuses and in which words, in virtual time.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

#include "actors/wire/little_endian.hpp"
#include "tests/support/core_ends.hpp"

namespace corolla::tests {
namespace {

using namespace actors::wire;
using actors::errc;
using namespace std::chrono_literals;

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::vector<std::byte> number(uint64_t value) {
  std::vector<std::byte> bytes;
  append(bytes, value);
  return bytes;
}

struct hostile_peer {
  core_and_test sut;

  hostile_peer() { sut.shake_hands(); }
  void expect_goodbye(std::string_view part) {
    auto said = sut.goodbye();
    BOOST_TEST(contains(said, part), "\"" << said << "\" does not say \"" << part << "\"");
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(wire_core_greeting)

BOOST_AUTO_TEST_CASE(two_ends_say_hello_and_know_each_other) {
  core_pair pair;
  pair.settle();
  BOOST_TEST(pair.near.core.is_established());
  BOOST_TEST(pair.far.core.is_established());
  BOOST_TEST((pair.near.record.peer == id_of(2)));
  BOOST_TEST((pair.far.record.peer == id_of(1)));
}

BOOST_AUTO_TEST_CASE(a_hello_that_comes_in_single_bytes_is_taken) {
  core_and_test sut;
  auto id = id_of(9);
  std::vector<std::byte> all;
  for (auto b : id.bytes)
    all.push_back(static_cast<std::byte>(b));
  auto said = frame(frame_type::hello, priority::control, 0, encode(hello{}));
  all.insert(all.end(), said.begin(), said.end());
  for (auto& byte : all) {
    BOOST_TEST(!sut.end.core.is_established());
    sut.send({&byte, 1});
  }
  BOOST_TEST(sut.end.core.is_established());
}

BOOST_AUTO_TEST_CASE(nothing_is_taken_before_the_hello) {
  core_and_test sut;
  auto id = id_of(9);
  sut.send(std::as_bytes(std::span{id.bytes}));
  sut.send(frame_type::open, 1);
  BOOST_TEST(contains(sut.goodbye(), "before the hello"));
}

BOOST_AUTO_TEST_CASE(versions_that_do_not_meet_are_refused_in_a_sentence_that_names_both) {
  auto older = dialling(), newer = dialled();
  older.self.software = "corolla/0.1";
  newer.self.software = "corolla/9.0";
  newer.self.min_version = newer.self.max_version = 2;
  core_pair pair{older, newer};
  pair.settle();
  for (auto* end : {&pair.near, &pair.far})
    end->core.disconnect();
  for (auto* end : {&pair.near, &pair.far}) {
    BOOST_REQUIRE(end->core.over().has_value());
    BOOST_TEST((end->core.over()->code == errc::version_mismatch));
    for (auto part : {"version 1", "version 2", "corolla/0.1", "corolla/9.0"})
      BOOST_TEST(contains(end->core.over()->text, part));
    BOOST_TEST(!end->record.peer.has_value());
  }
}

BOOST_AUTO_TEST_CASE(who_is_not_admitted_hears_why_and_nothing_behind_its_hello_is_read) {
  auto options = dialled();
  options.judge = [](auto&, auto&) { return refusal{errc::not_a_member, "no certificate of this swarm"}; };
  core_and_test sut{options};
  auto id = id_of(9);
  auto bytes = frame(frame_type::hello, priority::control, 0, encode(hello{}));
  auto behind = frame(frame_type::open, priority::control, 1);
  bytes.insert(bytes.end(), behind.begin(), behind.end());
  sut.send(std::as_bytes(std::span{id.bytes}));
  sut.send(bytes);
  BOOST_TEST(sut.goodbye() == "no certificate of this swarm");
  BOOST_TEST(sut.end.record.messages.empty());
  BOOST_TEST(sut.end.core.counters().open_streams == 0u);
}

BOOST_AUTO_TEST_CASE(the_wrong_peer_is_refused) {
  auto wants_three = dialling();
  wants_three.expected = 3;
  core_pair pair{wants_three};
  pair.settle();
  BOOST_REQUIRE(pair.near.core.over().has_value());
  BOOST_TEST((pair.near.core.over()->code == errc::wrong_peer));
}

BOOST_AUTO_TEST_CASE(who_does_not_say_hello_in_time_is_dropped) {
  core_end sut{dialled()};
  BOOST_TEST((sut.core.deadline() == core_end::time_point{} + limits::unproved_time));
  sut.core.tick(core_end::time_point{} + limits::unproved_time - 1ms);
  BOOST_TEST(!sut.core.over().has_value());
  sut.core.tick(core_end::time_point{} + limits::unproved_time);
  BOOST_TEST(sut.core.over().has_value());
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_cut_at_any_byte_ends_and_says_so) {
  core_end dialler{dialling()};
  auto bytes = dialler.pull_all();
  auto said = frame(frame_type::hello, priority::control, 0, encode(hello{}));
  auto step = frame(frame_type::open, priority::control, 1, number(7));
  auto view = std::as_bytes(std::span{bytes});
  std::vector<std::byte> all{view.begin(), view.end()};
  all.insert(all.end(), said.begin(), said.end());
  all.insert(all.end(), step.begin(), step.end());
  for (size_t size = 0; size < all.size(); ++size) {
    core_end sut{dialled()};
    sut.receive(std::span{all}.first(size));
    sut.core.disconnect();
    BOOST_REQUIRE(sut.core.over().has_value());
    BOOST_REQUIRE(sut.record.messages.empty());
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(wire_core_refuses, hostile_peer)

BOOST_AUTO_TEST_CASE(a_second_hello) {
  sut.send(frame_type::hello, 0, priority::control, encode(hello{}));
  expect_goodbye("second hello");
}

BOOST_AUTO_TEST_CASE(types_that_do_not_exist_but_not_those_that_may_be_skipped) {
  std::vector<std::byte> body(limits::body_bytes);
  sut.send(static_cast<frame_type>(0x90), 12, priority::bulk, body);
  BOOST_TEST(sut.end.core.is_established());
  sut.send(static_cast<frame_type>(99), 0);
  expect_goodbye("unknown type");
}

BOOST_AUTO_TEST_CASE(a_length_beyond_the_limit_before_any_of_it_has_come) {
  sut.send(encode({frame_type::data, priority::bulk, 0xffff'ffff, 1}));
  expect_goodbye("length");
}

BOOST_AUTO_TEST_CASE(data_without_a_message) {
  sut.send(frame_type::attach, 1);
  sut.send(frame_type::data, 1, priority::step, number(1));
  expect_goodbye("data without a message");
}

BOOST_AUTO_TEST_CASE(a_message_within_another_of_its_class) {
  sut.send(frame_type::attach, 1);
  sut.send(frame_type::step, 1, priority::step, announcing(100));
  sut.send(frame_type::step, 1, priority::bulk, announcing(100));
  BOOST_TEST(sut.end.core.is_established());
  sut.send(frame_type::step, 1, priority::step, announcing(100));
  expect_goodbye("within another");
}

BOOST_AUTO_TEST_CASE(more_data_than_was_announced) {
  sut.send(frame_type::attach, 1);
  sut.send(frame_type::step, 1, priority::step, announcing(7));
  sut.send(frame_type::data, 1, priority::step, number(1));
  expect_goodbye("more data than the message announced");
}

BOOST_AUTO_TEST_CASE(data_beyond_the_credit) {
  sut.send(frame_type::attach, 1);
  std::vector<std::byte> chunk(limits::chunk_bytes);
  // Nobody takes anything: after one chunk there is no credit left, and no loan while that one is held.
  sut.send(frame_type::step, 1, priority::step, announcing(limits::chunk_bytes));
  sut.send(frame_type::data, 1, priority::step, chunk);
  BOOST_TEST(sut.end.record.messages.size() == 2u);
  sut.send(frame_type::step, 1, priority::step, announcing(limits::chunk_bytes));
  sut.send(frame_type::data, 1, priority::step, chunk);
  expect_goodbye("beyond the credit");
}

BOOST_AUTO_TEST_CASE(a_message_larger_than_messages_may_be) {
  sut.send(frame_type::attach, 1);
  sut.send(frame_type::step, 1, priority::step, announcing(limits::payload_bytes + 1));
  expect_goodbye("larger than was allowed");
}

BOOST_AUTO_TEST_CASE(streams_of_the_wrong_parity_or_that_have_ended_or_never_began) {
  for (auto [first, second, words] : {std::tuple{uint64_t{2}, uint64_t{0}, "wrong parity"}, {3, 1, "has ended"}}) {
    core_and_test other;
    other.shake_hands();
    other.send(frame_type::open, first);
    if (second != 0)
      other.send(frame_type::open, second);
    BOOST_TEST(contains(other.goodbye(), words));
  }
  sut.send(frame_type::applied, 5);
  expect_goodbye("never opened");
}

BOOST_AUTO_TEST_CASE(more_open_streams_than_were_allowed) {
  for (uint64_t i = 0; i < limits::open_streams; ++i)
    sut.send(frame_type::open, 2 * i + 1);
  BOOST_TEST(sut.end.core.is_established());
  sut.send(frame_type::open, 2 * limits::open_streams + 1);
  expect_goodbye("open streams");
}

BOOST_AUTO_TEST_CASE(a_pong_that_answers_nothing) {
  sut.send(frame_type::pong, 0, priority::control, number(1));
  expect_goodbye("pong");
}

BOOST_AUTO_TEST_CASE(credit_without_end) {
  sut.send(frame_type::attach, 1);
  std::vector<std::byte> body;
  append(body, 0xffff'ffffu);
  sut.send(frame_type::credit, 1, priority::control, body);
  expect_goodbye("more credit than can be");
}

BOOST_AUTO_TEST_CASE(an_echo_where_nothing_is_echoed) {
  sut.send(frame_type::bench_echo, 1, priority::control, announcing(0));
  expect_goodbye("bench_echo");
}

BOOST_AUTO_TEST_CASE(small_frames_without_end) {
  // All at one time: nothing is given back.
  for (uint32_t i = 0; i < 10 * limits::small_frames_per_second; ++i)
    sut.send(frame_type::record_taken, 0);
  expect_goodbye("too many small frames");
}

BOOST_AUTO_TEST_CASE(a_peer_that_asks_and_does_not_read) {
  // Its socket takes nothing, so the pongs stay here.
  auto ping = frame(frame_type::ping, priority::control, 0, number(1));
  for (int i = 0; i < 50'000 && sut.end.core.is_established(); ++i)
    sut.send(ping);
  BOOST_TEST(!sut.end.core.is_established());
  BOOST_TEST(sut.end.core.counters().queued_bytes < limits::owed_bytes + 1000);
}

BOOST_AUTO_TEST_CASE(claims_cost_no_memory) {
  for (uint64_t i = 0; i < limits::open_streams; ++i) {
    sut.send(frame_type::attach, 2 * i + 1);
    sut.send(frame_type::step, 2 * i + 1, priority::step, announcing(limits::payload_bytes));
    sut.send(frame_type::step, 2 * i + 1, priority::bulk, announcing(limits::payload_bytes));
  }
  BOOST_TEST(sut.end.core.is_established());
  BOOST_TEST(sut.end.core.counters().held_bytes == 0u);
  // The first stream's two messages take all that can be lent.
  for (auto& header : sut.sent_frames())
    if (header.type == frame_type::credit)
      BOOST_TEST(header.stream == 1u);
}

BOOST_AUTO_TEST_CASE(control_characters_in_a_goodbye_do_not_reach_a_log) {
  std::vector<std::byte> body{static_cast<std::byte>(errc::stopping)};
  for (char c : std::string{"a\x1b[31mb\n"})
    body.push_back(static_cast<std::byte>(c));
  sut.send(frame_type::goodbye, 0, priority::control, body);
  BOOST_REQUIRE(sut.end.core.over().has_value());
  BOOST_TEST((sut.end.core.over()->code == errc::stopping));
  BOOST_TEST(sut.end.core.over()->text == "a?[31mb?");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(wire_core_streams, core_pair)

BOOST_AUTO_TEST_CASE(an_ended_stream_is_confirmed_once_its_data_was_taken) {
  settle();
  near.core.send(message_on(1), 0);
  near.core.send(message_on(1, frame_type::step, priority::step, 1000), 1);
  near.core.send(message_on(1, frame_type::end_stream), 0);
  settle();
  BOOST_TEST(far.record.messages.size() == 2u);
  BOOST_TEST((far.record.ends == std::vector<uint64_t>{1}));
  BOOST_TEST(near.core.counters().open_streams == 1u);
  far.core.take(1, 1000);
  settle();
  BOOST_TEST(near.core.counters().open_streams == 0u);
  BOOST_TEST(far.core.counters().open_streams == 0u);
}

BOOST_AUTO_TEST_CASE(what_was_queued_on_a_stream_is_dropped_when_the_peer_ends_it) {
  settle();
  near.core.send(message_on(1), 0);
  settle();
  near.core.send(message_on(1, frame_type::step, priority::step, size_t{8} << 20), 1);
  near.core.send(message_on(1, frame_type::step, priority::step, 100), 2);
  far.core.send(message_on(1, frame_type::end_stream), 0);
  settle();
  BOOST_TEST(near.record.dropped_names.size() == 2u);
  for (auto& [name, why] : near.record.dropped_names)
    BOOST_TEST((why.code == errc::cancelled));
  BOOST_TEST((near.record.ends == std::vector<uint64_t>{1}));
  BOOST_TEST(near.core.counters().open_streams == 0u);
  BOOST_TEST(far.core.counters().open_streams == 0u);
  BOOST_TEST(near.core.counters().queued_bytes == 0u);
  BOOST_TEST(near.core.is_established());
}

BOOST_AUTO_TEST_CASE(a_stream_that_both_end_at_once_is_gone_on_both_sides) {
  settle();
  near.core.send(message_on(1), 0);
  settle();
  near.core.send(message_on(1, frame_type::end_stream), 0);
  far.core.send(message_on(1, frame_type::end_stream), 0);
  settle();
  BOOST_TEST(near.core.counters().open_streams == 0u);
  BOOST_TEST(far.core.counters().open_streams == 0u);
  BOOST_TEST(near.core.is_established());
  BOOST_TEST(far.core.is_established());
}

BOOST_AUTO_TEST_CASE(an_id_is_never_used_again) {
  settle();
  near.core.send(message_on(1), 0);
  near.core.send(message_on(1, frame_type::end_stream), 0);
  settle();
  auto refused = near.core.send(message_on(1), 0);
  BOOST_REQUIRE(refused.has_value());
  BOOST_TEST((refused->code == errc::protocol_violation));
}

BOOST_AUTO_TEST_CASE(a_queue_beyond_its_ceiling_refuses_and_says_how_much_is_there) {
  auto small = dialling();
  small.outbound_ceiling = 1 << 20;
  core_pair pair{small};
  pair.settle();
  pair.near.core.send(message_on(1), 0);
  std::optional<refusal> refused;
  int taken = 0;
  for (; !refused && taken < 100; ++taken)
    refused = pair.near.core.send(message_on(1, frame_type::step, priority::bulk, 100'000), 1);
  BOOST_REQUIRE(refused.has_value());
  BOOST_TEST((refused->code == errc::overloaded));
  BOOST_TEST(pair.near.core.counters().queued_bytes <= size_t{1} << 20);
  BOOST_TEST(pair.near.core.is_established());
}

BOOST_AUTO_TEST_CASE(control_overtakes_step_and_step_overtakes_bulk) {
  settle();
  near.core.send(message_on(1), 0);
  near.core.send(message_on(3), 0);
  settle();
  far.record.messages.clear();
  near.core.send(message_on(1, frame_type::step, priority::bulk, 200'000), 1);
  std::vector<char> first;
  BOOST_REQUIRE(near.core.pull(first));  // a piece of it is with the socket already
  near.core.send(message_on(3, frame_type::step, priority::step, 100'000), 2);
  near.core.send(message_on(3, frame_type::applied), 0);
  far.receive(first);
  settle();
  BOOST_REQUIRE(far.record.messages.size() == 3u);
  BOOST_TEST((far.record.messages[0].cls == priority::control));
  BOOST_TEST((far.record.messages[1].cls == priority::step));
  BOOST_TEST((far.record.messages[2].cls == priority::bulk));
}

BOOST_AUTO_TEST_CASE(streams_of_a_class_take_turns) {
  settle();
  for (uint64_t stream : {1, 3})
    near.core.send(message_on(stream), 0);
  settle();
  far.record.messages.clear();
  near.core.send(message_on(1, frame_type::step, priority::bulk, 250'000), 1);
  near.core.send(message_on(3, frame_type::step, priority::bulk, 100'000), 2);
  settle();
  BOOST_REQUIRE(far.record.messages.size() == 2u);
  BOOST_TEST(far.record.messages[0].stream == 3u);
}

BOOST_AUTO_TEST_CASE(under_any_schedule_everything_arrives_in_order_within_its_class) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    std::mt19937 random{seed};
    core_pair pair;
    pair.settle();
    auto streams = 1 + random() % 5;
    for (uint64_t i = 0; i < streams; ++i)
      pair.near.core.send(message_on(2 * i + 1), 0);
    outbox::ticket sent = 0;
    size_t expected_bytes = 0, got_bytes = 0, taken = streams;
    auto step_of_schedule = [&] {
      switch (random() % 4) {
        case 0:
          if (sent < 40) {
            auto size = static_cast<size_t>(1 + random() % (random() % 4 == 0 ? 3'000'000 : 50'000));
            auto cls = random() % 2 == 0 ? priority::step : priority::bulk;
            auto message = message_on(2 * (random() % streams) + 1, frame_type::step, cls, size);
            append(message.body, static_cast<uint32_t>(++sent));
            BOOST_REQUIRE(!pair.near.core.send(std::move(message), sent).has_value());
            expected_bytes += size;
          }
          break;
        case 1: {
          std::vector<char> there;
          if (pair.near.core.pull(there))
            pair.far.receive(there);
          break;
        }
        case 2: {
          std::vector<char> back;
          if (pair.far.core.pull(back))
            pair.near.receive(back);
          break;
        }
        default:
          if (taken < pair.far.record.messages.size()) {
            auto& message = pair.far.record.messages[taken++];
            got_bytes += message.payload->size();
            pair.far.core.take(message.stream, static_cast<uint32_t>(message.payload->size()));
            message.payload.reset();
          }
      }
      BOOST_REQUIRE(pair.far.core.counters().held_bytes <= limits::inbound_ceiling_bytes);
    };
    for (int i = 0; i < 100'000 && (sent < 40 || pair.near.record.sent_names.size() < 40 || got_bytes < expected_bytes); ++i)
      step_of_schedule();
    BOOST_REQUIRE_MESSAGE(got_bytes == expected_bytes, "seed " << seed);
    BOOST_REQUIRE(pair.near.record.sent_names.size() == 40u);
    BOOST_REQUIRE(pair.far.core.counters().held_bytes == 0u);
    for (uint64_t stream = 1; stream < 2 * streams; stream += 2)
      for (auto cls : {priority::step, priority::bulk}) {
        uint32_t last = 0;
        for (auto& message : pair.far.record.messages) {
          if (message.stream != stream || message.cls != cls || message.body.size() != 4)
            continue;
          auto mark = load<uint32_t>(message.body.data());
          BOOST_REQUIRE(mark > last);
          last = mark;
        }
      }
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(wire_core_time, core_pair)

BOOST_AUTO_TEST_CASE(a_silent_peer_is_asked_after_a_third_and_dead_after_the_silence) {
  settle();
  now += std::chrono::nanoseconds{limits::default_silence} / 3 + 1ns;
  near.core.tick(now - 1ms);
  BOOST_TEST(near.pull_all().empty());
  near.core.tick(now);
  BOOST_TEST(!near.pull_all().empty());  // lost on the way
  near.core.tick(core_end::time_point{} + limits::default_silence - 1ms);
  BOOST_TEST(!near.core.over().has_value());
  near.core.tick(core_end::time_point{} + limits::default_silence);
  BOOST_REQUIRE(near.core.over().has_value());
  BOOST_TEST((near.core.over()->code == errc::link_lost));
}

BOOST_AUTO_TEST_CASE(an_idle_link_lives_as_long_as_both_answer) {
  settle();
  for (int i = 0; i < 100; ++i) {
    now = std::min(near.core.deadline(), far.core.deadline());
    near.core.tick(now);
    far.core.tick(now);
    settle();
  }
  BOOST_TEST(near.core.is_established());
  BOOST_TEST(far.core.is_established());
  BOOST_TEST((now > core_end::time_point{} + 5 * limits::default_silence));
}

BOOST_AUTO_TEST_CASE(a_ping_measures_the_way_and_back) {
  settle();
  near.core.ping(now);
  auto asked = near.pull_all();
  far.receive(asked, now);
  auto answered = far.pull_all();
  now += 12ms;
  near.receive(answered, now);
  BOOST_REQUIRE(near.record.round_trips.size() == 1u);
  BOOST_TEST((near.record.round_trips[0] == 12ms));
}

BOOST_AUTO_TEST_CASE(goodbye_goes_behind_what_can_be_sent) {
  settle();
  near.core.send(message_on(1), 0);
  near.core.send(message_on(1, frame_type::step, priority::bulk, 200'000), 1);
  near.core.close({errc::stopping, "the node ends"}, now);
  settle();
  BOOST_TEST(far.record.messages.size() == 2u);
  BOOST_REQUIRE(far.core.over().has_value());
  BOOST_TEST((far.core.over()->code == errc::stopping));
  BOOST_TEST(far.core.over()->text == "the node ends");
  near.core.disconnect();
  BOOST_REQUIRE(near.core.over().has_value());
  BOOST_TEST((near.core.over()->code == errc::stopping));
}

BOOST_AUTO_TEST_CASE(goodbye_waits_for_nobody) {
  settle();
  near.core.send(message_on(1), 0);
  // Needs credit that will not come any more.
  near.core.send(message_on(1, frame_type::step, priority::bulk, size_t{8} << 20), 1);
  near.core.close({errc::stopping, "the node ends"}, now);
  settle();
  BOOST_TEST(far.core.over().has_value());
  BOOST_REQUIRE(near.record.dropped_names.size() == 1u);
  BOOST_TEST((near.record.dropped_names[0].second.code == errc::stopping));
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_take_the_goodbye_is_left_after_its_time) {
  settle();
  near.core.close({errc::stopping, "the node ends"}, now);
  BOOST_TEST((near.core.deadline() == now + limits::goodbye_time));
  near.core.tick(now + limits::goodbye_time);
  BOOST_TEST(near.core.over().has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
