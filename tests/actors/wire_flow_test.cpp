#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <random>

#include "actors/wire/flow.hpp"
#include "actors/wire/inbox.hpp"
#include "actors/wire/little_endian.hpp"

namespace corolla::tests {
namespace {

using namespace actors::wire;

constexpr uint32_t chunk = 1000;
constexpr size_t pool = 10'000;

/// What a sender that obeys does with one stream.
struct sender {
  uint64_t credit = chunk;
  std::deque<uint32_t> to_send;  // messages; the first one may be begun
  bool begun = false;
  uint32_t sent = 0;           // of the first
  std::deque<uint32_t> whole;  // arrived and not taken
};

}  // namespace

BOOST_AUTO_TEST_SUITE(wire_flow)

BOOST_AUTO_TEST_CASE(a_message_within_the_chunk_needs_no_grant) {
  inbound_flow flow{chunk, pool};
  flow.open(1);
  flow.announce(1, chunk);
  BOOST_TEST(flow.collect_grants().empty());
  BOOST_TEST(flow.receive(1, chunk));
  BOOST_TEST(flow.held() == chunk);
}

BOOST_AUTO_TEST_CASE(a_larger_message_is_lent_the_rest) {
  inbound_flow flow{chunk, pool};
  flow.open(1);
  flow.announce(1, 5 * chunk);
  auto grants = flow.collect_grants();
  BOOST_REQUIRE(grants.size() == 1u);
  BOOST_TEST((grants[0] == grant{1, 4 * chunk}));
}

BOOST_AUTO_TEST_CASE(data_beyond_the_credit_or_beyond_the_message_is_refused) {
  inbound_flow flow{chunk, pool};
  flow.open(1);
  BOOST_TEST(!flow.receive(1, 1));
  flow.announce(1, 10);
  BOOST_TEST(!flow.receive(1, 11));
  BOOST_TEST(flow.receive(1, 10));
  flow.announce(1, chunk + pool + 1);
  BOOST_TEST(!flow.receive(1, chunk));
}

BOOST_AUTO_TEST_CASE(loans_are_given_in_the_order_of_their_asking) {
  inbound_flow flow{chunk, pool};
  for (uint64_t stream : {1, 3, 5}) flow.open(stream);
  flow.announce(1, chunk + 9'000);
  flow.announce(3, chunk + 5'000);
  flow.announce(5, chunk + 500);
  // The third would fit, but would let large messages starve.
  auto grants = flow.collect_grants();
  BOOST_REQUIRE(grants.size() == 1u);
  BOOST_TEST(grants[0].stream == 1u);
  BOOST_TEST(flow.receive(1, chunk + 9'000));
  flow.complete(1, chunk + 9'000);
  flow.take(1, chunk + 9'000);
  std::vector<uint64_t> order;
  for (auto& given : flow.collect_grants()) order.push_back(given.stream);
  BOOST_TEST((order == std::vector<uint64_t>{1, 3, 5}));
}

BOOST_AUTO_TEST_CASE(who_is_slow_to_take_is_lent_nothing_more) {
  inbound_flow flow{chunk, pool};
  flow.open(1);
  flow.announce(1, 3 * chunk);
  BOOST_TEST(flow.receive(1, 3 * chunk));
  flow.complete(1, 3 * chunk);
  flow.collect_grants();
  flow.announce(1, 3 * chunk);
  BOOST_TEST(flow.collect_grants().empty());
  flow.take(1, 3 * chunk);
  BOOST_TEST(!flow.collect_grants().empty());
  BOOST_TEST(flow.allowance(1) == 3 * chunk);
}

BOOST_AUTO_TEST_CASE(an_ended_stream_gives_back_what_it_was_lent) {
  inbound_flow flow{chunk, pool};
  flow.open(1);
  flow.open(3);
  flow.announce(1, chunk + 9'000);
  flow.announce(3, chunk + 9'000);
  flow.collect_grants();
  flow.close(1);
  BOOST_TEST(flow.held() == 0u);
  auto grants = flow.collect_grants();
  BOOST_REQUIRE(grants.size() == 1u);
  BOOST_TEST((grants[0] == grant{3, 9'000}));
}

BOOST_AUTO_TEST_CASE(under_any_schedule_grants_stay_below_the_ceiling_and_everything_arrives) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random{seed};
    inbound_flow flow{chunk, pool};
    std::map<uint64_t, sender> senders;
    auto streams = 1 + random() % 6;
    for (uint64_t stream = 1; stream <= streams; ++stream) {
      flow.open(stream);
      for (auto messages = random() % 12; messages > 0; --messages)
        senders[stream].to_send.push_back(1 + static_cast<uint32_t>(random() % (random() % 3 == 0 ? 9'000 : 900)));
    }
    auto ceiling = streams * chunk + pool;
    auto unfinished = [&] {
      return std::any_of(senders.begin(), senders.end(), [](auto& entry) {
        return !entry.second.to_send.empty() || !entry.second.whole.empty();
      });
    };
    size_t idle = 0;
    while (unfinished()) {
      auto& [stream, from] = *std::next(senders.begin(), static_cast<long>(random() % senders.size()));
      auto moved = false;
      if (random() % 2 == 0 && !from.to_send.empty()) {
        auto size = from.to_send.front();
        if (!from.begun) {
          flow.announce(stream, size);
          from.begun = moved = true;
        }
        auto part = static_cast<uint32_t>(std::min<uint64_t>({from.credit, size - from.sent, 1 + random() % 700}));
        if (part > 0) {
          BOOST_REQUIRE(flow.receive(stream, part));
          from.credit -= part;
          from.sent += part;
          moved = true;
        }
        if (from.sent == size) {
          flow.complete(stream, size);
          from.whole.push_back(size);
          from.to_send.pop_front();
          from.begun = false;
          from.sent = 0;
        }
      } else if (!from.whole.empty()) {
        flow.take(stream, from.whole.front());
        from.whole.pop_front();
        moved = true;
      }
      for (auto& given : flow.collect_grants()) senders[given.stream].credit += given.bytes;
      BOOST_REQUIRE(flow.committed() <= ceiling);
      idle = moved ? 0 : idle + 1;
      BOOST_REQUIRE_MESSAGE(idle < 2'000, "nothing moves any more, seed " << seed);
    }
    BOOST_REQUIRE(flow.held() == 0u);
  }
}

BOOST_AUTO_TEST_CASE(messages_of_several_frames_tell_how_fast_they_come) {
  constexpr uint32_t piece = 64 * 1024;
  inbox box{{.credit = 8 * piece, .chunk = piece}};
  box.open(1);
  inbox::time_point now{};
  const auto message = [&](uint32_t pieces, std::chrono::milliseconds between) {
    std::array<std::byte, sizeof(uint32_t)> body;
    store(body.data(), pieces * piece);
    BOOST_TEST_REQUIRE(box.begin({frame_type::step, priority::bulk, 4, 1}, body).fault.empty());
    for (uint32_t i = 0; i < pieces; ++i) {
      const frame_header header{frame_type::data, priority::bulk, piece, 1};
      BOOST_TEST_REQUIRE(box.place_data(header).fault.empty());
      if (i > 0) now += between;
      BOOST_TEST(box.data_filled(header, now).has_value() == (i + 1 == pieces));
    }
    box.take(1, pieces * piece);
    box.collect_grants();
    now += std::chrono::seconds{1};  // nothing is under way
  };
  // One frame says nothing of the time that it took.
  message(1, {});
  BOOST_TEST(box.bytes_per_s() == 0);
  message(3, std::chrono::milliseconds{10});
  BOOST_TEST(box.bytes_per_s() == 2 * piece / 0.02f, boost::test_tools::tolerance(1e-3f));
  // A quarter of the way to what is new; all at once counts as a millisecond.
  message(2, {});
  const auto first = 2 * piece / 0.02f;
  BOOST_TEST(box.bytes_per_s() == first + (piece / 0.001f - first) / 4, boost::test_tools::tolerance(1e-3f));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
