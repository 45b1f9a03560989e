// The link's state machine: the greeting, and what it refuses and in which words.
#include <boost/test/unit_test.hpp>

#include "actors/wire/little_endian.hpp"
#include "tests/support/core_ends.hpp"

namespace corolla::tests {
namespace {

using namespace actors::wire;
using actors::errc;
using namespace std::chrono_literals;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

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
  for (auto b : id.bytes) all.push_back(static_cast<std::byte>(b));
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
  for (auto* end : {&pair.near, &pair.far}) end->core.disconnect();
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

BOOST_AUTO_TEST_CASE(prompts_in_a_class_that_they_must_not_have) {
  sut.send(frame_type::open, 1);
  sut.send(frame_type::prompts, 1, priority::bulk, announcing(8));
  sut.send(frame_type::data, 1, priority::bulk, number(1));
  BOOST_TEST(sut.end.record.messages.size() == 2u);
  BOOST_TEST(sut.end.record.messages.back().payload->size() == 8u);
  sut.send(frame_type::prompts, 1, priority::step, announcing(8));
  expect_goodbye("a class that its type must not have");
}

BOOST_AUTO_TEST_CASE(prompts_on_a_stream_that_never_began) {
  sut.send(frame_type::prompts, 1, priority::bulk, announcing(8));
  expect_goodbye("stream");
}

BOOST_AUTO_TEST_CASE(streams_of_the_wrong_parity_or_that_have_ended_or_never_began) {
  for (auto [first, second, words] : {std::tuple{uint64_t{2}, uint64_t{0}, "wrong parity"}, {3, 1, "has ended"}}) {
    core_and_test other;
    other.shake_hands();
    other.send(frame_type::open, first);
    if (second != 0) other.send(frame_type::open, second);
    BOOST_TEST(contains(other.goodbye(), words));
  }
  sut.send(frame_type::applied, 5);
  expect_goodbye("never opened");
}

BOOST_AUTO_TEST_CASE(more_open_streams_than_were_allowed) {
  for (uint64_t i = 0; i < limits::open_streams; ++i) sut.send(frame_type::open, 2 * i + 1);
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
  for (uint32_t i = 0; i < 10 * limits::small_frames_per_second; ++i) sut.send(frame_type::record_taken, 0);
  expect_goodbye("too many small frames");
}

BOOST_AUTO_TEST_CASE(a_peer_that_asks_and_does_not_read) {
  // Its socket takes nothing, so the pongs stay here.
  auto ping = frame(frame_type::ping, priority::control, 0, number(1));
  for (int i = 0; i < 50'000 && sut.end.core.is_established(); ++i) sut.send(ping);
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
    if (header.type == frame_type::credit) BOOST_TEST(header.stream == 1u);
}

BOOST_AUTO_TEST_CASE(control_characters_in_a_goodbye_do_not_reach_a_log) {
  std::vector<std::byte> body{static_cast<std::byte>(errc::stopping)};
  for (char c : std::string{"a\x1b[31mb\n"}) body.push_back(static_cast<std::byte>(c));
  sut.send(frame_type::goodbye, 0, priority::control, body);
  BOOST_REQUIRE(sut.end.core.over().has_value());
  BOOST_TEST((sut.end.core.over()->code == errc::stopping));
  BOOST_TEST(sut.end.core.over()->text == "a?[31mb?");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
