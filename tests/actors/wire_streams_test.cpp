// The link's state machine: streams, priorities, flow and liveness between two ends in virtual time.
#include <algorithm>
#include <random>

#include <boost/test/unit_test.hpp>

#include "actors/wire/little_endian.hpp"
#include "tests/support/core_ends.hpp"

namespace corolla::tests {
namespace {

using namespace actors::wire;
using actors::errc;
using namespace std::chrono_literals;

}  // namespace

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
  for (auto& [name, why] : near.record.dropped_names) BOOST_TEST((why.code == errc::cancelled));
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
  for (uint64_t stream : {1, 3}) near.core.send(message_on(stream), 0);
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
    for (uint64_t i = 0; i < streams; ++i) pair.near.core.send(message_on(2 * i + 1), 0);
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
          if (pair.near.core.pull(there)) pair.far.receive(there);
          break;
        }
        case 2: {
          std::vector<char> back;
          if (pair.far.core.pull(back)) pair.near.receive(back);
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
    for (int i = 0; i < 100'000 && (sent < 40 || pair.near.record.sent_names.size() < 40 || got_bytes < expected_bytes);
         ++i)
      step_of_schedule();
    BOOST_REQUIRE_MESSAGE(got_bytes == expected_bytes, "seed " << seed);
    BOOST_REQUIRE(pair.near.record.sent_names.size() == 40u);
    BOOST_REQUIRE(pair.far.core.counters().held_bytes == 0u);
    for (uint64_t stream = 1; stream < 2 * streams; stream += 2)
      for (auto cls : {priority::step, priority::bulk}) {
        uint32_t last = 0;
        for (auto& message : pair.far.record.messages) {
          if (message.stream != stream || message.cls != cls || message.body.size() != 4) continue;
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

BOOST_AUTO_TEST_CASE(a_message_that_is_cut_within_its_last_piece_is_answered) {
  settle();
  near.core.send(message_on(1), 0);
  settle();
  near.core.send(message_on(1, frame_type::step, priority::step, limits::piece_bytes), 1);
  std::vector<char> begun;
  BOOST_REQUIRE(near.core.pull(begun));
  BOOST_TEST(near.record.sent_names.empty());
  near.core.disconnect();
  BOOST_REQUIRE(near.record.dropped_names.size() == 1u);
  BOOST_TEST((near.record.dropped_names[0].second.code == errc::link_lost));
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
