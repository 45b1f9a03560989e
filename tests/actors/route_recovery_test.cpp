// Routes that lose their servers, in virtual time: every output is compared with what the blocks give by themselves.
#include "tests/actors/chain.hpp"

#include <cstdlib>
#include <sstream>

#include "tests/support/seeded_random.hpp"

using namespace corolla;
using namespace corolla::tests;

BOOST_AUTO_TEST_CASE(a_route_gives_what_the_blocks_give) {
  chain c;
  {
    generation g{c.swarm};
    g.open();
    BOOST_TEST(g.forward(13), g.failure);
    for (int i = 0; i < 10; ++i) BOOST_TEST(g.forward(1), g.failure);
    g.roll_back(9);
    BOOST_TEST(g.forward(5), g.failure);
    for (auto& s : g.audit()) {
      BOOST_TEST(s.position == 14u);
      BOOST_TEST(s.restored == 0u);
      BOOST_TEST(s.dropped == 0u);
    }
  }
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(a_session_that_is_as_long_as_it_may_be_is_rolled_back) {
  chain c;
  generation g{c.swarm, /*batch=*/1, /*max_length=*/8};
  g.open();
  BOOST_TEST(g.forward(7), g.failure);
  BOOST_TEST(g.forward(1), g.failure);
  g.roll_back(6);
  BOOST_TEST(g.forward(2), g.failure);
}

BOOST_AUTO_TEST_CASE(an_output_of_other_rows_than_were_asked_for_ends_the_route) {
  chain c;
  generation g{c.swarm};
  g.open();
  step lie;
  lie.epoch = 1;
  lie.seq = 1;
  lie.from = c.swarm.peer(g.server_of_hop(2));
  lie.hidden = model::tensor::of<float>({1, 0, virtual_swarm::hidden_size}, std::vector<float>{});
  BOOST_TEST(!g.forward(1, {}, 0, [&] { g.forge(lie); }));
  BOOST_TEST(g.failure.starts_with("bad_tensor: "), g.failure);
  g.close();
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(a_lost_hop_is_replaced_and_the_others_restore_nothing) {
  for (size_t hop = 0; hop < 3; ++hop) {
    chain c;
    {
      generation g{c.swarm};
      g.open();
      BOOST_TEST(g.forward(13), g.failure);
      c.add_spares();
      const auto victim = g.server_of_hop(hop);
      BOOST_TEST(g.forward(1, {}, 0, [&] { c.swarm.kill(victim); }), g.failure);
      for (int i = 0; i < 5; ++i) BOOST_TEST(g.forward(1), g.failure);
      const auto audit = g.audit();
      BOOST_REQUIRE(audit.size() == 3u);
      for (size_t i = 0; i < 3; ++i) {
        BOOST_TEST(audit[i].restored == (i == hop ? 13u : 0u), "hop " << i);
        BOOST_TEST(audit[i].last == 4u + 6u);
        BOOST_TEST(audit[i].steps == (i == hop ? 6u : 10u), "hop " << i);
        BOOST_TEST(audit[i].position == 19u);
      }
      const auto status = g.status();
      BOOST_REQUIRE(status.recoveries.size() == 1u);
      BOOST_TEST(status.recoveries[0].restored_tokens == 13u);
      BOOST_TEST((status.recoveries[0].blocks == c.spans[hop]));
    }
    c.check_empty();
  }
}

// -- the grid: what is lost, where, and when ------------------------------------------------------------------------

namespace {

enum class fault { kill, kill_two, stop, zombie, cut_from, cut_to, edge, error };
constexpr fault all_faults[] = {fault::kill,     fault::kill_two, fault::stop, fault::zombie,
                                fault::cut_from, fault::cut_to,   fault::edge, fault::error};
const char* name_of(fault f) {
  constexpr const char* names[] = {"kill", "kill_two", "stop", "zombie", "cut_from", "cut_to", "edge", "error"};
  return names[static_cast<size_t>(f)];
}

/// A generation with one fault in it; what went wrong, or nothing.
std::string run_one(fault what, size_t hop, uint32_t at_step, size_t messages, const course& how) {
  chain c{how.delay};
  std::string failure;
  {
    generation g{c.swarm, how.batch};
    g.open();
    c.add_spares();
    std::vector<size_t> servers;
    for (size_t i = 0; i < 3; ++i) servers.push_back(g.server_of_hop(i));
    const auto victim = servers[hop];
    auto strike = [&] {
      switch (what) {
        case fault::kill:
          return c.swarm.kill(victim);
        case fault::kill_two:
          c.swarm.kill(victim);
          return c.swarm.kill(servers[hop == 2 ? 1 : hop + 1]);
        case fault::stop:
        case fault::zombie:
          return c.swarm.stop(victim);
        case fault::cut_from:
          return c.swarm.cut_from(victim);
        case fault::cut_to:
          return c.swarm.cut_to(victim);
        case fault::edge:
          return c.swarm.cut_between(victim, hop == 2 ? servers[1] : servers[hop + 1]);
        case fault::error:
          return c.swarm.fail_once(victim);
      }
    };
    auto afterwards = [&](uint32_t step) {
      if (what == fault::zombie && step == at_step) c.swarm.resume(victim);
    };
    failure = g.run(how, /*steps=*/8, messages, at_step, strike, afterwards);
    if (failure.empty() && g.status().recoveries.size() > 2)
      failure = std::to_string(g.status().recoveries.size()) + " recoveries for one fault";
  }
  if (what != fault::stop && what != fault::cut_from && what != fault::cut_to) c.check_empty();
  return failure;
}

void run_all(const course& how) {
  for (auto what : all_faults)
    for (size_t hop = 0; hop < 3; ++hop)
      for (uint32_t at_step : {0u, 1u, 3u, 7u})
        for (size_t messages : {0, 3, 10, 25, 60, 120, 250}) {
          auto failure = run_one(what, hop, at_step, messages, how);
          BOOST_TEST(
              failure.empty(), name_of(what) << " of hop " << hop << " in step " << at_step << " after " << messages
                                             << " messages: " << failure);
        }
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_fault_at_every_hop_and_time) {
  run_all({});
}
BOOST_AUTO_TEST_CASE(and_with_three_rows_that_change_places) {
  run_all({3, true, false, 0us});
}
BOOST_AUTO_TEST_CASE(and_after_a_rollback) {
  run_all({1, false, true, 0us});
}
BOOST_AUTO_TEST_CASE(and_with_both_over_links_that_take_time) {
  run_all({3, true, true, 5ms});
}

// -- what has no substitute, or not at once -------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(generation_waits_for_a_server_and_goes_on_when_one_joins) {
  chain c;
  {
    generation g{c.swarm};
    g.open();
    BOOST_TEST(g.forward(9), g.failure);
    c.swarm.kill(g.server_of_hop(1));
    c.swarm.pass(20s);
    c.swarm.add({2, 4});
    BOOST_TEST(g.forward(1), g.failure);
    BOOST_TEST(g.forward(1), g.failure);
  }
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(without_a_substitute_the_error_names_the_blocks_in_time) {
  chain c;
  generation g{c.swarm};
  g.open();
  BOOST_TEST(g.forward(9), g.failure);
  c.swarm.kill(g.server_of_hop(1));
  c.swarm.time().settle();
  const auto begun = c.swarm.time().clock().now();
  BOOST_TEST(!g.forward(1));
  const std::string_view start = "missing_blocks: no output within 60000 ms: blocks 2:4 have no server; server ";
  BOOST_TEST(g.failure.starts_with(start), g.failure);
  BOOST_TEST(g.failure.find("of blocks 2:4 was lost: ") != std::string::npos, g.failure);
  BOOST_TEST((c.swarm.time().clock().now() - begun == 60s));
  g.close();
  c.check_empty();
}

BOOST_AUTO_TEST_CASE(several_smaller_spans_take_the_place_of_one) {
  virtual_swarm swarm;
  swarm.add({0, 1});
  swarm.add({1, 5});
  swarm.add({5, 6});
  generation g{swarm};
  g.open();
  BOOST_TEST(g.forward(13), g.failure);
  for (uint32_t b = 1; b < 5; ++b) swarm.add({b, b + 1});
  BOOST_TEST(g.forward(1, {}, 0, [&] { swarm.kill(2); }), g.failure);
  BOOST_TEST(g.forward(1), g.failure);
  const auto audit = g.audit();
  BOOST_REQUIRE(audit.size() == 6u);
  for (size_t i = 0; i < 6; ++i) BOOST_TEST(audit[i].restored == (i == 0 || i == 5 ? 0u : 13u), "hop " << i);
}

BOOST_AUTO_TEST_CASE(a_server_that_has_another_hop_already_takes_one_more) {
  virtual_swarm swarm;
  swarm.add({0, 6}, /*cache_tokens=*/64);
  swarm.add({2, 4});
  generation holder{swarm};  // fills the first server, so that the route below is a chain
  holder.open();
  BOOST_TEST(holder.forward(5), holder.failure);
  swarm.add({0, 2});
  swarm.add({4, 6});
  generation g{swarm};
  g.open();
  BOOST_TEST(g.forward(13), g.failure);
  BOOST_REQUIRE(g.status().hops.size() == 3u);
  holder.close();
  for (auto victim : {2, 3, 4}) {
    BOOST_TEST(g.forward(1, {}, 0, [&] { swarm.kill(static_cast<size_t>(victim)); }), g.failure);
    BOOST_TEST(g.forward(1), g.failure);
    if (victim == 2) swarm.add({0, 6});
  }
}

BOOST_AUTO_TEST_CASE(a_substitute_without_room_is_asked_again_when_it_may_have_some) {
  virtual_swarm swarm;
  swarm.add({0, 2});
  swarm.add({2, 4});
  swarm.add({4, 6});
  generation g{swarm};
  g.open();
  BOOST_TEST(g.forward(9), g.failure);
  swarm.add({2, 4}, /*cache_tokens=*/64);
  auto other = std::make_unique<generation>(swarm);
  other->options.blocks = {2, 4};
  const auto spare = swarm.size() - 1;
  // Who takes the spare's only room, and gives it back after three seconds.
  swarm.kill(2);
  other->open();
  BOOST_TEST(swarm.used_tokens(spare) == 64u);
  BOOST_TEST(
      g.forward(
          1, {}, 400,
          [&] {
            swarm.pass(3s);
            other->close();
          }),
      g.failure);
  BOOST_TEST(g.forward(1), g.failure);
}

// -- many faults at random ------------------------------------------------------------------------------------------

namespace {

std::string left_behind(size_t server, uint64_t tokens, uint32_t sessions) {
  std::ostringstream text;
  text << "server " << server << " keeps " << tokens << " tokens of " << sessions << " sessions";
  return text.str();
}

/// One random schedule; what went wrong, or nothing.
std::string run_schedule(uint32_t seed) {
  const seeded_random ids{seed};
  std::mt19937 random{seed};
  auto up_to = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  const auto delay = std::chrono::microseconds{up_to(2) == 0 ? 0u : up_to(20'000)};
  virtual_swarm swarm{delay};
  const std::vector<model::block_range> shapes{{0, 2}, {2, 4}, {4, 6}, {0, 3}, {3, 6}, {1, 5}, {0, 6}};
  for (auto& span : {shapes[0], shapes[1], shapes[2]}) swarm.add(span);
  for (uint32_t i = 0; i < 3; ++i) swarm.add(shapes[up_to(static_cast<uint32_t>(shapes.size()))]);
  const auto batch = 1 + up_to(3);
  std::string failure;
  {
    generation g{swarm, batch, 64, seed};
    g.open();
    std::vector<size_t> stopped;
    auto strike = [&] {
      const auto hops = g.status().hops;
      const auto victim = up_to(4) == 0 ? 1 + up_to(static_cast<uint32_t>(swarm.size() - 1))
                                        : swarm.server_of(hops[up_to(static_cast<uint32_t>(hops.size()))].peer);
      if (!swarm.is_alive(victim)) return;
      switch (up_to(8)) {
        case 0:
          swarm.stop(victim);
          stopped.push_back(victim);
          break;
        case 1:
          swarm.fail_once(victim);
          break;
        case 2:
          swarm.cut_between(victim, 1 + up_to(static_cast<uint32_t>(swarm.size() - 1)));
          break;
        case 3:
          for (auto s : std::exchange(stopped, {})) swarm.resume(s);
          break;
        case 4:
          swarm.drain(victim);
          break;
        default:
          swarm.kill(victim);
      }
      // Whatever is lost, each block stays with somebody.
      swarm.add(shapes[up_to(3)]);
      swarm.add({0, 6});
    };
    for (uint32_t step = 0; step < 10 && failure.empty(); ++step) {
      if (step == 1 && up_to(2) == 0)
        for (size_t i = 1; i < swarm.size(); ++i)
          if (swarm.is_alive(i)) swarm.announce(i, 1 + up_to(500));
      if (step > 0 && up_to(8) == 0) g.roll_back(up_to(g.position) + 1);
      std::vector<uint32_t> order;
      if (step > 0 && batch > 1 && up_to(3) == 0)
        for (uint32_t b = 0; b < batch; ++b) order.push_back(up_to(batch));
      const auto tokens = step == 0 || up_to(6) == 0 ? 1 + up_to(12) : 1;
      if (g.position + tokens > 64) break;
      const bool strikes = up_to(3) == 0 && swarm.size() < 16;
      if (!g.forward(tokens, order, up_to(300), strikes ? std::function<void()>{strike} : nullptr))
        failure = "step " + std::to_string(step) + ": " + g.failure;
    }
    for (auto s : stopped) swarm.resume(s);
  }
  swarm.pass(60s);
  for (size_t i = 1; i < swarm.size() && failure.empty(); ++i)
    if (swarm.is_alive(i) && (swarm.used_tokens(i) > 0 || swarm.status(i).sessions > 0))
      failure = left_behind(i, swarm.used_tokens(i), swarm.status(i).sessions);
  return failure;
}

/// From the environment, so that a failure can be replayed.
uint32_t number(const char* name, uint32_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<uint32_t>(std::stoul(text));
}

}  // namespace

BOOST_AUTO_TEST_CASE(random_schedules_of_faults_lose_no_token_and_leave_no_session) {
  const auto first = number("COROLLA_SEED", 1), count = number("COROLLA_SCHEDULES", 10'000);
  for (auto seed = first; seed < first + count; ++seed) {
    auto failure = run_schedule(seed);
    BOOST_TEST(failure.empty(), "COROLLA_SEED=" << seed << " COROLLA_SCHEDULES=1: " << failure);
  }
}
