#include "actors/policy/gossip.hpp"

#include <algorithm>
#include <random>

#include <boost/test/unit_test.hpp>

namespace corolla::tests {
namespace {

using namespace actors::policy;
using namespace std::chrono_literals;

const gossip_time start = gossip_time{} + 24h;

gossip_id id(uint32_t n) {
  gossip_id result{};
  // Spread, so that ranges are not all at the beginning.
  std::mt19937 random{n};
  for (auto& byte : result) byte = static_cast<uint8_t>(random());
  return result;
}
heard_record record(uint32_t owner, uint64_t seq, std::chrono::milliseconds age = 0ms) {
  return {id(owner), seq, 60s, age};
}

/// Gives `to` what `from` holds and `to` lacks, as two neighbours do; how many records that were.
size_t reconcile(const gossip& from, gossip& to, std::chrono::milliseconds held, gossip_time now) {
  size_t sent = 0;
  for (auto& range : to.digest())
    for (auto& owner : from.compare(range, now).records) {
      uint64_t seq = 0;
      for (auto& theirs : from.digest())
        for (auto& e : theirs.entries)
          if (std::equal(e.owner.begin(), e.owner.end(), owner.begin())) seq = e.seq;
      to.take({owner, seq, 60s, from.age(owner, now)}, now + held);
      ++sent;
    }
  return sent;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(policy_gossip)

BOOST_AUTO_TEST_CASE(the_newer_number_wins_whatever_the_order) {
  gossip node{id(0)};
  BOOST_TEST((node.take(record(1, 5), start) == record_verdict::taken));
  BOOST_TEST((node.take(record(1, 4), start) == record_verdict::known));
  BOOST_TEST((node.take(record(1, 5), start) == record_verdict::known));
  BOOST_TEST((node.take(record(1, 6), start) == record_verdict::taken));
  BOOST_TEST(node.holds(id(1), 6));
}

BOOST_AUTO_TEST_CASE(a_record_travels_with_the_time_that_every_relay_held_it) {
  gossip a{id(0)}, b{id(2)};
  a.take(record(1, 5, 10s), start);
  BOOST_TEST((a.age(id(1), start + 20s) == 30s));
  b.take({id(1), 5, 60s, a.age(id(1), start + 20s)}, start);  // b's clock is another one
  BOOST_TEST((b.age(id(1), start + 29s) == 59s));
  BOOST_TEST(b.expire(start + 29s).empty());
  BOOST_TEST(b.expire(start + 30s).size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_record_that_has_outlived_its_life_is_dropped) {
  gossip node{id(0)};
  BOOST_TEST((node.take(record(1, 5, 60s), start) == record_verdict::too_old));
  BOOST_TEST(node.size() == 0u);
}

BOOST_AUTO_TEST_CASE(no_life_is_longer_than_the_longest) {
  gossip node{id(0)};
  node.take({id(1), 5, std::chrono::hours{24 * 365}, 0ms}, start);
  BOOST_TEST((node.next_expiry() == start + 10min));
}

BOOST_AUTO_TEST_CASE(what_expired_is_not_taken_again_for_twice_its_life) {
  gossip node{id(0)};
  node.take(record(1, 5), start);
  BOOST_TEST(node.expire(start + 60s).size() == 1u);
  BOOST_TEST((node.take(record(1, 5), start + 61s) == record_verdict::buried));
  BOOST_TEST((node.take(record(1, 4), start + 179s) == record_verdict::buried));
  BOOST_TEST((node.next_expiry() == start + 180s));
  node.expire(start + 180s);
  BOOST_TEST(node.tombstones() == 0u);
}

BOOST_AUTO_TEST_CASE(a_newer_record_rises_from_the_grave) {
  gossip node{id(0)};
  node.take(record(1, 5), start);
  BOOST_TEST(node.bury(id(1), 5, start));
  BOOST_TEST((node.take(record(1, 5), start) == record_verdict::buried));
  BOOST_TEST((node.take(record(1, 6), start) == record_verdict::taken));
  BOOST_TEST(node.tombstones() == 0u);
}

BOOST_AUTO_TEST_CASE(only_the_record_that_was_suspected_is_buried) {
  gossip node{id(0)};
  node.take(record(1, 6), start);
  BOOST_TEST(!node.bury(id(1), 5, start));
  BOOST_TEST(!node.bury(id(1), UINT64_MAX, start));
  BOOST_TEST(node.holds(id(1), 6));
}

BOOST_AUTO_TEST_CASE(records_and_tombstones_are_bounded_in_number) {
  gossip_limits limits;
  limits.records = 10;
  limits.tombstones = 4;
  gossip node{id(0), limits};
  for (uint32_t n = 1; n <= 20; ++n) {
    auto verdict = node.take(record(n, 1), start);
    BOOST_TEST((verdict == (n <= 10 ? record_verdict::taken : record_verdict::full)));
  }
  BOOST_TEST((node.take(record(0, 1), start) == record_verdict::taken), "a node has always room for its own");
  for (uint32_t n = 1; n <= 10; ++n) node.bury(id(n), 1, start);
  BOOST_TEST(node.tombstones() == 4u);
}

BOOST_AUTO_TEST_CASE(an_owner_that_talks_too_fast_is_heard_now_and_then) {
  gossip node{id(0)};
  uint64_t taken = 0;
  for (uint64_t seq = 1; seq <= 1000; ++seq) {
    auto now = start + std::chrono::milliseconds{seq * 10};  // 100 a second for ten seconds
    if (node.take(record(1, seq), now) == record_verdict::taken) ++taken;
  }
  BOOST_TEST(taken >= 16u);
  BOOST_TEST(taken <= 16u + 2 * 10 + 1);
}

BOOST_AUTO_TEST_CASE(a_suspicion_is_looked_into_once) {
  gossip node{id(0)};
  node.take(record(1, 5), start);
  BOOST_TEST((node.judge({id(1), 5, id(2)}, true, start) == suspicion_verdict::probe));
  BOOST_TEST((node.judge({id(1), 5, id(3)}, true, start + 9s) == suspicion_verdict::repeated));
  BOOST_TEST((node.judge({id(1), 5, id(3)}, true, start + 10s) == suspicion_verdict::probe));
}

BOOST_AUTO_TEST_CASE(suspicions_of_strangers_of_older_records_and_of_oneself_bury_nobody) {
  gossip node{id(0)};
  node.take(record(1, 5), start);
  BOOST_TEST((node.judge({id(1), 5, id(2)}, /*vouched=*/false, start) == suspicion_verdict::stranger));
  BOOST_TEST((node.judge({id(1), 4, id(2)}, true, start) == suspicion_verdict::stale));
  BOOST_TEST((node.judge({id(7), 4, id(2)}, true, start) == suspicion_verdict::stale));
  BOOST_TEST((node.judge({id(0), 4, id(2)}, /*vouched=*/false, start) == suspicion_verdict::refute));
}

BOOST_AUTO_TEST_CASE(one_neighbour_and_all_together_can_make_a_node_look_into_so_many) {
  gossip_limits limits;
  limits.neighbour_suspicions = 3;
  limits.probes = 5;
  gossip node{id(0), limits};
  for (uint32_t n = 1; n <= 20; ++n) node.take(record(n, 1), start);
  auto probes = [&](uint32_t first, uint32_t from, gossip_time now) {
    int count = 0;
    for (uint32_t n = first; n < first + 5; ++n)
      if (node.judge({id(n), 1, id(from)}, true, now) == suspicion_verdict::probe) ++count;
    return count;
  };
  BOOST_TEST(probes(1, 100, start) == 3);
  BOOST_TEST(probes(6, 101, start) == 2);  // five at a time
  for (int i = 0; i < 5; ++i) node.probed();
  BOOST_TEST(probes(11, 100, start + 9s) == 0);
  BOOST_TEST(probes(11, 100, start + 10s) == 3);
}

BOOST_AUTO_TEST_CASE(a_digest_covers_every_id_in_ranges_of_a_bounded_size) {
  gossip node{id(0)};
  for (uint32_t n = 1; n <= 1000; ++n) node.take(record(n, n), start);
  auto ranges = node.digest();
  BOOST_TEST(ranges.size() == 7u);
  size_t entries = 0;
  gossip_prefix zero{}, ones;
  ones.fill(0xff);
  BOOST_TEST((ranges.front().first == zero));
  BOOST_TEST((ranges.back().last == ones));
  for (size_t i = 0; i < ranges.size(); ++i) {
    auto& range = ranges[i];
    entries += range.entries.size();
    BOOST_TEST(range.entries.size() <= max_digest_entries);
    BOOST_TEST(std::is_sorted(range.entries.begin(), range.entries.end()));
    BOOST_TEST((range.first <= range.entries.front().owner && range.entries.back().owner <= range.last));
    if (i > 0) BOOST_TEST((ranges[i - 1].last < range.first));
  }
  BOOST_TEST(entries == 1000u);
}

BOOST_AUTO_TEST_CASE(a_newcomer_gets_everything_and_an_equal_nothing) {
  gossip a{id(0)}, b{id(5000)};
  for (uint32_t n = 1; n <= 500; ++n) a.take(record(n, n), start);
  BOOST_TEST(reconcile(a, b, 0ms, start) == 500u);
  BOOST_TEST(reconcile(a, b, 0ms, start) == 0u);
  BOOST_TEST(reconcile(b, a, 0ms, start) == 0u);
}

BOOST_AUTO_TEST_CASE(a_digest_with_what_was_found_dead_draws_a_suspicion) {
  gossip a{id(0)}, b{id(9)};
  for (auto* node : {&a, &b}) node->take(record(1, 5), start);
  a.bury(id(1), 5, start);
  auto lack = a.compare(b.digest().front(), start);
  BOOST_REQUIRE(lack.suspicions.size() == 1u);
  BOOST_TEST((lack.suspicions.front() == std::pair{id(1), uint64_t{5}}));
  b.take(record(1, 6), start);
  BOOST_TEST(a.compare(b.digest().front(), start).suspicions.empty());
}

BOOST_AUTO_TEST_CASE(nodes_that_compare_digests_agree_on_the_newest_of_every_owner) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    std::mt19937 random{seed};
    std::vector<gossip> nodes;
    std::map<gossip_id, uint64_t> newest;
    for (uint32_t n = 0; n < 4; ++n) nodes.emplace_back(id(100'000 + n));
    for (int i = 0; i < 400; ++i) {
      auto owner = static_cast<uint32_t>(random() % 200);
      uint64_t seq = 1 + random() % 5;
      nodes[random() % nodes.size()].take(record(owner, seq), start);
      newest[id(owner)] = std::max(newest[id(owner)], seq);
    }
    // A ring, once around in each direction and once more.
    for (int round = 0; round < 3; ++round)
      for (size_t n = 0; n < nodes.size(); ++n) {
        auto& next = nodes[(n + 1) % nodes.size()];
        reconcile(nodes[n], next, 0ms, start);
        reconcile(next, nodes[n], 0ms, start);
      }
    for (auto& node : nodes) {
      BOOST_TEST_REQUIRE(node.size() == newest.size(), "seed " << seed);
      for (auto& [owner, seq] : newest) BOOST_TEST_REQUIRE(node.holds(owner, seq), "seed " << seed);
    }
  }
}

BOOST_AUTO_TEST_CASE(whatever_comes_nothing_buried_is_held_and_nothing_grows_beyond_its_bound) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    std::mt19937 random{seed};
    gossip_limits limits;
    limits.records = 20;
    limits.tombstones = 30;
    gossip node{id(0), limits};
    std::map<gossip_id, std::pair<uint64_t, gossip_time>> buried;  // and until when
    auto now = start;
    for (int i = 0; i < 3000; ++i) {
      now += std::chrono::milliseconds{random() % 2000};
      auto owner = 1 + static_cast<uint32_t>(random() % 15);
      uint64_t seq = 1 + i / 100 + random() % 3;
      if (random() % 4 == 0) {
        if (node.bury(id(owner), seq, now)) buried[id(owner)] = {seq, now + 120s};
      } else {
        auto verdict = node.take(record(owner, seq, std::chrono::milliseconds{random() % 70'000}), now);
        auto grave = buried.find(id(owner));
        if (verdict == record_verdict::taken && grave != buried.end() && grave->second.second > now)
          BOOST_TEST_REQUIRE(seq > grave->second.first, "seed " << seed);
      }
      if (random() % 3 == 0) node.expire(now);
      BOOST_TEST_REQUIRE(node.size() <= limits.records);
      BOOST_TEST_REQUIRE(node.tombstones() <= limits.tombstones);
    }
  }
}

BOOST_AUTO_TEST_CASE(figures_move_by_a_quarter_or_not_at_all) {
  volatile_part before{0.5, 0.5, {{id(1), 1000us}}};
  auto with = [&](auto change) {
    auto after = before;
    change(after);
    return moved_by_a_quarter(before, after);
  };
  BOOST_TEST(!with([](auto&) {}));
  BOOST_TEST(!with([](auto& p) { p.load = 0.74; }));
  BOOST_TEST(with([](auto& p) { p.load = 0.25; }));
  BOOST_TEST(with([](auto& p) { p.free_share = 0.75; }));
  BOOST_TEST(!with([](auto& p) { p.pings[id(1)] = 1300us; }));
  BOOST_TEST(with([](auto& p) { p.pings[id(1)] = 1400us; }));
  BOOST_TEST(with([](auto& p) { p.pings[id(2)] = 1000us; }));
  BOOST_TEST(with([](auto& p) { p.pings.clear(); }));
}

BOOST_AUTO_TEST_CASE(a_state_goes_out_at_once_and_figures_every_two_seconds) {
  pacer pace;
  pace.changed(pacer::change::moved, start);
  BOOST_TEST((pace.due() == start), "nothing has gone out yet");
  pace.sent(start, 60s);
  BOOST_TEST((pace.due() == start + 20s), "kept fresh");
  pace.changed(pacer::change::none, start + 500ms);
  BOOST_TEST((pace.due() == start + 20s));
  pace.changed(pacer::change::moved, start + 500ms);
  BOOST_TEST((pace.due() == start + 2s));
  pace.changed(pacer::change::state, start + 600ms);
  BOOST_TEST((pace.due() == start + 600ms));
}

BOOST_AUTO_TEST_CASE(a_suspicion_is_refuted_at_once_and_then_once_a_second) {
  pacer pace;
  pace.refute(start);
  BOOST_TEST((pace.due() == gossip_time::max()), "who serves nothing has nothing to refute");
  pace.sent(start, 60s);
  pace.refute(start + 100ms);
  BOOST_TEST((pace.due() == start + 100ms));
  pace.sent(start + 100ms, 60s);
  pace.refute(start + 200ms);
  pace.refute(start + 300ms);
  BOOST_TEST((pace.due() == start + 1100ms));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
