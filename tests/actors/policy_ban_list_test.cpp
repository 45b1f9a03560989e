#include "actors/policy/ban_list.hpp"

#include <boost/test/unit_test.hpp>
#include <random>

using namespace corolla::actors::policy;
using namespace std::chrono_literals;

namespace {

const ban_list::time_point start{100h};

peer_key named(uint8_t byte) {
  peer_key key{};
  key.fill(byte);
  return key;
}

/// How long the ban lasts from `now` on.
ban_list::time_point::duration left(const ban_list& bans, const peer_key& who, ban_list::time_point now) {
  auto until = bans.banned_until(who, now);
  return until ? *until - now : 0s;
}

}  // namespace

BOOST_AUTO_TEST_CASE(who_never_failed_is_not_banned) {
  const ban_list bans;
  BOOST_TEST(!bans.banned(named(1), start));
  BOOST_TEST(bans.all_banned(start).empty());
}

BOOST_AUTO_TEST_CASE(a_ban_begins_at_once_and_ends_by_itself) {
  ban_list bans;
  bans.offence(named(1), start);
  BOOST_TEST(bans.banned(named(1), start));
  BOOST_TEST(!bans.banned(named(2), start));
  BOOST_TEST(bans.banned(named(1), start + 15s - 1ns));
  BOOST_TEST(!bans.banned(named(1), start + 15s));
  BOOST_TEST((bans.all_banned(start + 1s) == std::vector<peer_key>{named(1)}));
  BOOST_TEST(bans.all_banned(start + 15s).empty());
}

BOOST_AUTO_TEST_CASE(every_further_offence_doubles_it_up_to_an_hour) {
  ban_list bans;
  auto now = start;
  auto expected = 15s;
  for (int i = 0; i < 200; ++i) {
    bans.offence(named(1), now);
    BOOST_TEST((left(bans, named(1), now) == expected), "at offence " << i + 1);
    now += expected + 1s;
    expected = std::min<std::chrono::seconds>(expected * 2, 1h);
  }
}

BOOST_AUTO_TEST_CASE(all_sessions_that_lose_a_server_together_count_as_one_offence) {
  ban_list bans;
  for (int session = 0; session < 8; ++session) bans.offence(named(1), start + session * 100ms);
  BOOST_TEST((left(bans, named(1), start) == 15s));
  // Used all the same, since nobody else held the block, and failed again.
  bans.offence(named(1), start + 5s);
  BOOST_TEST((left(bans, named(1), start + 5s) == 30s));
}

BOOST_AUTO_TEST_CASE(a_success_ends_the_ban_and_the_next_one_is_short_again) {
  ban_list bans;
  for (auto at : {0s, 20s, 60s}) bans.offence(named(1), start + at);
  BOOST_TEST((left(bans, named(1), start + 60s) == 60s));
  bans.success(named(1));
  bans.success(named(2));
  BOOST_TEST(!bans.banned(named(1), start + 60s));
  bans.offence(named(1), start + 70s);
  BOOST_TEST((left(bans, named(1), start + 70s) == 15s));
}

BOOST_AUTO_TEST_CASE(an_offence_is_forgotten_an_hour_after_its_ban) {
  ban_list bans;
  bans.offence(named(1), start);
  bans.offence(named(2), start + 15s + 1h - 1ns);
  BOOST_TEST(bans.size() == 2u);
  bans.offence(named(2), start + 15s + 1h + 10s);
  BOOST_TEST(bans.size() == 1u);
  bans.offence(named(1), start + 15s + 1h + 20s);
  BOOST_TEST((left(bans, named(1), start + 15s + 1h + 20s) == 15s));
}

BOOST_AUTO_TEST_CASE(beyond_its_room_it_forgets_whose_ban_ends_first) {
  ban_list bans{{.max_servers = 3}};
  for (uint8_t i = 1; i <= 3; ++i) bans.offence(named(i), start + i * 100ms);
  bans.offence(named(1), start + 5s);
  bans.offence(named(4), start + 6s);
  BOOST_TEST(bans.size() == 3u);
  BOOST_TEST(!bans.banned(named(2), start + 6s));
  for (uint8_t i : {1, 3, 4}) BOOST_TEST(bans.banned(named(i), start + 6s));
  ban_list none{{.max_servers = 0}};
  none.offence(named(1), start);
  BOOST_TEST(none.size() == 0u);
}

BOOST_AUTO_TEST_CASE(whatever_comes_bans_are_bounded_in_time_and_memory) {
  const unsigned seed = 20'240;
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  ban_list bans{{.max_servers = 16}};
  auto now = start;
  for (int i = 0; i < 50'000; ++i) {
    now += std::chrono::milliseconds(random() % 60'000);
    auto who = named(static_cast<uint8_t>(random() % 40));
    if (random() % 3 == 0) {
      bans.success(who);
      BOOST_REQUIRE(!bans.banned(who, now));
    } else {
      bans.offence(who, now);
      BOOST_REQUIRE(bans.banned(who, now));
      BOOST_REQUIRE((left(bans, who, now) <= 1h));
    }
    BOOST_REQUIRE_LE(bans.size(), 16u);
    BOOST_REQUIRE_LE(bans.all_banned(now).size(), bans.size());
  }
}
