#include "actors/policy/cache_budget.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <random>

using namespace corolla::actors::policy;
using namespace std::chrono_literals;
using answer = cache_budget::answer;

namespace {

const cache_budget::time_point start{1h};

bool is(answer actual, answer wanted) {
  return actual == wanted;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_fits_is_granted_at_once) {
  cache_budget line{100};
  BOOST_TEST(is(line.ask({1, 60}, 100, start, 0s), answer::granted));
  BOOST_TEST(is(line.ask({2, 40}, 40, start, 0s), answer::granted));
  BOOST_TEST(line.waiting() == 0u);
}

BOOST_AUTO_TEST_CASE(what_never_fits_does_not_wait) {
  cache_budget line{100};
  BOOST_TEST(is(line.ask({1, 101}, 100, start, 10min), answer::never_fits));
  BOOST_TEST(line.waiting() == 0u);
}

BOOST_AUTO_TEST_CASE(without_time_to_wait_a_full_cache_refuses) {
  cache_budget line{100};
  BOOST_TEST(is(line.ask({1, 60}, 50, start, 0s), answer::no_room));
  BOOST_TEST(is(line.ask({1, 60}, 50, start, -1s), answer::no_room));
}

BOOST_AUTO_TEST_CASE(small_ones_do_not_pass_a_large_one_that_waits) {
  cache_budget line{100};
  BOOST_TEST(is(line.ask({1, 100}, 50, start, 10s), answer::waits));
  BOOST_TEST(is(line.ask({2, 10}, 50, start, 10s), answer::waits));
  BOOST_TEST(is(line.ask({3, 10}, 50, start, 0s), answer::no_room));
  BOOST_TEST(!line.next(99));
  BOOST_TEST(line.next(100).value() == 1u);
  BOOST_TEST(line.next(10).value() == 2u);
  BOOST_TEST(!line.next(100));
}

BOOST_AUTO_TEST_CASE(the_line_moves_up_when_its_first_gives_up) {
  cache_budget line{100};
  line.ask({1, 100}, 50, start, 10s);
  line.ask({2, 10}, 50, start, 20s);
  BOOST_TEST(line.expired(start + 9s).empty());
  BOOST_TEST((line.expired(start + 10s) == std::vector<uint64_t>{1}));
  BOOST_TEST(line.next(50).value() == 2u);

  line.ask({3, 100}, 50, start, 10s);
  BOOST_TEST(line.withdraw(3));
  BOOST_TEST(!line.withdraw(3));
  BOOST_TEST(line.waiting() == 0u);
}

BOOST_AUTO_TEST_CASE(the_line_has_an_end) {
  cache_budget line{100, /*max_waiting=*/2};
  line.ask({1, 10}, 0, start, 10s);
  line.ask({2, 10}, 0, start, 10s);
  BOOST_TEST(is(line.ask({3, 10}, 0, start, 10s), answer::too_many_waiting));
}

BOOST_AUTO_TEST_CASE(everyone_is_served_in_order_or_told_in_time_and_nothing_is_lost) {
  std::mt19937 random(5);
  constexpr uint64_t capacity = 100;
  cache_budget line{capacity};
  auto now = start;
  uint64_t free = capacity, last_granted = 0;
  std::map<uint64_t, uint64_t> held;
  std::map<uint64_t, std::pair<uint64_t, cache_budget::time_point>> waiting;  // tokens, deadline
  size_t waited_and_granted = 0, gave_up = 0;
  for (uint64_t ticket = 1; ticket < 20'000; ++ticket) {
    now += 1s;
    for (auto t : line.expired(now)) {
      BOOST_REQUIRE(waiting.at(t).second <= now);
      waiting.erase(t);
      ++gave_up;
    }
    for (const auto& [t, who] : waiting) BOOST_REQUIRE(who.second > now);
    if (random() % 2 == 0 && !held.empty()) {
      auto gone = held.begin();
      std::advance(gone, random() % held.size());
      free += gone->second;
      held.erase(gone);
    }
    while (auto t = line.next(free)) {
      BOOST_REQUIRE(*t == waiting.begin()->first);  // first come, first served
      free -= waiting.at(*t).first;
      held[*t] = waiting.at(*t).first;
      waiting.erase(*t);
      ++waited_and_granted;
    }
    if (!waiting.empty()) BOOST_REQUIRE(waiting.begin()->second.first > free);  // nobody waits without need
    auto tokens = 1 + random() % 120;
    auto wait = std::chrono::seconds(random() % 30);
    switch (line.ask({ticket, tokens}, free, now, wait)) {
      case answer::granted:
        BOOST_REQUIRE(tokens <= free);
        BOOST_REQUIRE(waiting.empty());
        free -= tokens;
        held[ticket] = tokens;
        BOOST_REQUIRE(ticket > last_granted);
        last_granted = ticket;
        break;
      case answer::waits:
        waiting[ticket] = {tokens, now + wait};
        break;
      case answer::never_fits:
        BOOST_REQUIRE(tokens > capacity);
        break;
      case answer::no_room:
        BOOST_REQUIRE(wait == 0s);
        break;
      case answer::too_many_waiting:
        BOOST_FAIL("the line is long enough here");
    }
    BOOST_REQUIRE_EQUAL(line.waiting(), waiting.size());
  }
  BOOST_TEST(waited_and_granted > 100u);
  BOOST_TEST(gave_up > 100u);
}
