// The line alone, in virtual time.
#include "runtime/fault_line.hpp"

#include <algorithm>
#include <bit>
#include <string>
#include <string_view>
#include <vector>

#include <boost/test/unit_test.hpp>

using namespace corolla::runtime;
using namespace std::chrono_literals;

namespace {

const fault_line::time_point start{100h};

std::string text(size_t size) {
  std::string bytes(size, ' ');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + i * 7 % 26);
  return bytes;
}

/// All that has arrived by `now`.
std::string take(fault_line& line, fault_line::time_point now) {
  std::string taken;
  for (auto bytes = line.arrived(now); !bytes.empty(); bytes = line.arrived(now)) {
    taken.append(bytes.begin(), bytes.end());
    line.taken(bytes.size());
  }
  return taken;
}

}  // namespace

BOOST_AUTO_TEST_CASE(bytes_arrive_whole_and_after_the_delay) {
  fault_line line{{.delay = 50ms}};
  line.put(text(100'000), start);
  line.end(start + 1ms);
  BOOST_TEST((line.next_arrival(start) == start + 50ms));
  BOOST_TEST(take(line, start + 50ms - 1ns).empty());
  BOOST_TEST(take(line, start + 50ms) == text(100'000));
  BOOST_TEST(!line.ended(start + 50ms));
  BOOST_TEST((line.next_arrival(start + 50ms) == start + 51ms));
  BOOST_TEST(line.ended(start + 51ms));
  BOOST_TEST(line.passed() == 100'000u);
}

BOOST_AUTO_TEST_CASE(without_a_delay_they_are_there_at_once) {
  fault_line line{{}};
  line.put(text(10), start);
  BOOST_TEST(take(line, start) == text(10));
  BOOST_TEST((line.next_arrival(start) == fault_line::never));
}

BOOST_AUTO_TEST_CASE(jitter_stays_within_its_part_keeps_order_and_follows_the_seed) {
  const auto arrivals = [](uint64_t seed) {
    fault_line line{{.delay = 100ms, .jitter = 0.2, .seed = seed}};
    std::vector<fault_line::time_point> result;
    for (int i = 0; i < 500; ++i) {
      const auto sent = start + i * 1s;
      line.put(text(10), sent);
      result.push_back(line.next_arrival(sent));
      BOOST_REQUIRE((result.back() >= sent + 80ms && result.back() <= sent + 120ms));
      BOOST_REQUIRE(take(line, result.back()) == text(10));
    }
    return result;
  };
  BOOST_TEST((arrivals(1) == arrivals(1)));
  BOOST_TEST((arrivals(1) != arrivals(2)));
  // Close together they would overtake each other.
  fault_line line{{.delay = 100ms, .jitter = 1}};
  auto last = start;
  for (int i = 0; i < 500; ++i) line.put(text(1), start + i * 1us);
  for (int i = 0; i < 500; ++i) {
    const auto next = line.next_arrival(start);
    BOOST_REQUIRE((next >= last));
    BOOST_REQUIRE(line.arrived(next).size() == 1u);
    line.taken(1);
    last = next;
  }
}

BOOST_AUTO_TEST_CASE(a_limited_line_carries_no_more_than_its_rate) {
  fault_line line{{.delay = 10ms, .bytes_per_s = 1'000'000}};
  line.put(text(1'000'000), start);
  size_t arrived = 0;
  for (auto at = 0ms; at <= 1010ms; at += 1ms) {
    arrived += take(line, start + at).size();
    const auto carried = std::max<int64_t>(0, at.count() - 10) * 1000;
    BOOST_REQUIRE_LE(static_cast<int64_t>(arrived), carried);
    BOOST_REQUIRE_GE(static_cast<int64_t>(arrived), carried - 5000);  // a piece of 5 ms
  }
  BOOST_TEST(arrived == 1'000'000u);
  // What comes after a pause does not make up for it.
  line.put(text(1000), start + 10s);
  BOOST_TEST((line.next_arrival(start + 10s) == start + 10s + 11ms));
}

BOOST_AUTO_TEST_CASE(it_is_full_at_what_is_under_way_and_a_margin) {
  fault_line line{{.delay = 100ms, .jitter = 0, .bytes_per_s = 10'000'000}};
  BOOST_TEST(line.room() == 1'000'000u + (1u << 20));
  line.put(text(line.room()), start);
  BOOST_TEST(line.room() == 0u);
  line.taken(line.arrived(start + 1h).size());
  BOOST_TEST(line.room() > 0u);
  // Whatever is asked for, memory has an end.
  BOOST_TEST(fault_line({.delay = 24h, .bytes_per_s = 1ull << 60}).room() <= 300u << 20);
}

BOOST_AUTO_TEST_CASE(one_bit_of_one_byte_is_flipped_wherever_the_pieces_begin) {
  const auto sent = text(1000);
  for (size_t piece : {1u, 7u, 333u, 1000u}) {
    fault_line line{{.flip_after = 500, .seed = 3}};
    for (size_t at = 0; at < sent.size(); at += piece) line.put(std::string_view{sent}.substr(at, piece), start);
    auto got = take(line, start);
    BOOST_REQUIRE(got.size() == sent.size());
    BOOST_TEST(std::popcount(static_cast<uint8_t>(got[500] ^ sent[500])) == 1);
    got[500] = sent[500];
    BOOST_TEST(got == sent);
  }
}

BOOST_AUTO_TEST_CASE(held_bytes_wait_and_none_is_lost) {
  fault_line line{{.delay = 10ms}};
  line.put(text(100), start);
  line.hold();
  line.end(start);
  BOOST_TEST(take(line, start + 1h).empty());
  BOOST_TEST(!line.ended(start + 1h));
  BOOST_TEST((line.next_arrival(start) == fault_line::never));
  line.release();
  BOOST_TEST(take(line, start + 1h) == text(100));
  BOOST_TEST(line.ended(start + 1h));
}

BOOST_AUTO_TEST_CASE(after_so_many_bytes_nothing_comes_out_any_more) {
  fault_line line{{.hold_after = 60}};
  line.put(text(50), start);
  BOOST_TEST(take(line, start).size() == 50u);
  line.put(text(50), start);
  line.end(start);
  BOOST_TEST(take(line, start + 1h) == text(10));
  BOOST_TEST(!line.ended(start + 1h));
  BOOST_TEST((line.next_arrival(start) == fault_line::never));
  line.release();
  BOOST_TEST(take(line, start + 1h) == text(50).substr(10));
  BOOST_TEST(line.ended(start + 1h));
  fault_line closed{{.hold_after = 0}};
  closed.put(text(5), start);
  BOOST_TEST(take(closed, start + 1h).empty());
}
