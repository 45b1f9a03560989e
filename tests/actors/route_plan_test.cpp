// Routes from records: what servers announce, and what the user and the client know of them.
#include "actors/route_plan.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "actors/known_ways.hpp"
#include "tests/support/records.hpp"

using namespace corolla::actors;
using namespace corolla::tests;
using namespace std::chrono_literals;
namespace model = corolla::model;

namespace {

route_estimate planned(
    const std::vector<server_record>& servers, const route_knowledge& known = {},
    const route_options& options = covering()) {
  auto result = estimate_route(servers, our_model(), options, known);
  if (auto* reason = std::get_if<caf::error>(&result)) throw std::runtime_error(describe(*reason));
  return std::get<route_estimate>(result);
}

/// "1[0:4] 2[4:8]"
std::string chain(const route_estimate& route) {
  std::string text;
  for (auto& hop : route.hops)
    text += (text.empty() ? "" : " ") + std::to_string(hop.peer.bytes[0]) + "[" + to_string(hop.blocks) + "]";
  return text;
}

std::string refusal(
    const std::vector<server_record>& servers, const route_options& options, errc code = errc::missing_blocks,
    const route_knowledge& known = {}) {
  auto result = estimate_route(servers, our_model(), options, known);
  BOOST_REQUIRE(std::holds_alternative<caf::error>(result));
  BOOST_TEST((code_of(std::get<caf::error>(result)) == code));
  return sentence(std::get<caf::error>(result));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const auto nearly = boost::test_tools::tolerance(1e-6);

}  // namespace

BOOST_AUTO_TEST_CASE(the_announced_speed_decides) {
  const std::vector<server_record> servers{serving(1, {0, 8}, 10), serving(2, {0, 8}, 50), serving(3, {0, 8}, 20)};
  auto route = planned(servers);
  BOOST_TEST(chain(route) == "2[0:8]");
  BOOST_TEST(route.costs[0].compute == 1 / 50.0, nearly);
  BOOST_TEST(route.costs[0].speed_announced);
  BOOST_TEST(!route.costs[0].way_measured);
  BOOST_TEST(route.seconds() == 1 / 50.0 + 0.001, nearly);  // and half an assumed round trip at each end
}

BOOST_AUTO_TEST_CASE(part_of_a_span_costs_its_part) {
  auto route = planned({serving(1, {0, 8}, 10)}, {}, covering({2, 4}));
  BOOST_TEST(chain(route) == "1[2:4]");
  BOOST_TEST(route.costs[0].compute == 0.1 * 2 / 8, nearly);
}

BOOST_AUTO_TEST_CASE(a_busy_server_has_the_queue_of_its_load) {
  std::vector<server_record> servers{serving(1, {0, 8}, 50), serving(2, {0, 8}, 40)};
  BOOST_TEST(chain(planned(servers)) == "1[0:8]");
  servers[0].load = 0.5;
  BOOST_TEST(chain(planned(servers)) == "2[0:8]");
  servers.pop_back();
  BOOST_TEST(planned(servers).costs[0].queue == 0.5 / 50, nearly);
  servers[0].load = 1;
  BOOST_TEST(planned(servers).costs[0].queue == 0.95 / 0.1 / 50, nearly);
}

BOOST_AUTO_TEST_CASE(a_chain_is_compared_without_its_own_load_and_room) {
  std::vector<server_record> servers{serving(1, {0, 8}, 50), serving(2, {0, 8}, 50)};
  servers[0].load = 0.9f;
  servers[0].free_tokens = 0;
  const std::vector<planned_hop> now{{servers[0].peer, {0, 8}, servers[0].dtype}};
  const auto seconds = [&](double own) {
    route_knowledge known;
    known.own_load[servers[0].peer] = own;
    return estimate_chain(servers, our_model(), covering({0, 8}), known, now).value().seconds();
  };
  const auto idle = planned(servers).seconds();  // the other one
  BOOST_TEST(seconds(0.9) == idle, boost::test_tools::tolerance(1e-4));
  BOOST_TEST(seconds(1.0) == idle, nearly);
  BOOST_TEST(seconds(0.4) == idle + 0.5 / (2 * 0.5) / 50, boost::test_tools::tolerance(1e-4));
  BOOST_TEST(own_load(250, 1000) == 0.25, nearly);
  BOOST_TEST(own_load(250, 0) == 0.0);
  servers[0].state = server_state::draining;
  BOOST_TEST(!estimate_chain(servers, our_model(), covering({0, 8}), {}, now));
}

BOOST_AUTO_TEST_CASE(the_way_is_what_the_nearer_hop_announces_else_the_farther_one) {
  std::vector<server_record> servers{serving(1, {0, 4}), serving(2, {4, 8}), serving(3, {4, 8})};
  servers[0].pings = {{named(2), 30ms}, {named(3), 20ms}};
  servers[1].pings = {{named(1), 4ms}};  // of the same way, and not asked
  auto route = planned(servers);
  BOOST_TEST(chain(route) == "1[0:4] 3[4:8]");
  BOOST_TEST(route.costs[1].way == 0.010, nearly);
  BOOST_TEST(route.costs[1].way_measured);
  servers[0].pings = {{named(3), 20ms}};
  route = planned(servers);
  BOOST_TEST(chain(route) == "1[0:4] 2[4:8]");
  BOOST_TEST(route.costs[1].way == 0.002, nearly);
}

BOOST_AUTO_TEST_CASE(a_way_that_nobody_measured_is_taken_for_an_ordinary_one) {
  std::vector<server_record> servers{serving(1, {0, 4}), serving(2, {4, 8}), serving(3, {4, 8}), serving(9, {0, 1})};
  servers[0].pings = {{named(2), 30ms}};
  servers[3].pings = {{named(1), 40ms}, {named(2), 50ms}};
  auto route = planned(servers);
  BOOST_TEST(chain(route) == "1[0:4] 2[4:8]");
  // The median of 30, 40 and 50 ms is what the client's own ways are taken for, too.
  BOOST_TEST(route.costs[0].way == 0.020, nearly);
  BOOST_TEST(route.last_way == 0.020, nearly);
  BOOST_TEST(!route.last_way_measured);
}

BOOST_AUTO_TEST_CASE(no_way_into_a_server_is_shorter_than_the_least) {
  constexpr unsigned seed = 5;
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::vector<server_record> servers;
    for (uint8_t i = 0; i < 6; ++i) {
      auto& record = servers.emplace_back(serving(i, {0, 8}));
      for (auto n = random() % 5; n > 0; --n)
        record.pings.push_back({named(static_cast<uint8_t>(random() % 8)), std::chrono::microseconds(random() % 50)});
    }
    std::vector<const server_record*> list;
    for (auto& record : servers) list.push_back(&record);
    const known_ways ways{list, {}};
    for (size_t from = 0; from < list.size(); ++from)
      for (size_t to = 0; to < list.size(); ++to) {
        if (from == to) continue;
        BOOST_REQUIRE_GE(ways.between(from, to), ways.least_into(to));
        BOOST_REQUIRE_EQUAL(ways.measured(from, to).has_value(), ways.measured(to, from).has_value());
      }
  }
}

BOOST_AUTO_TEST_CASE(a_narrow_way_counts_by_the_bytes_of_a_token) {
  auto model = our_model();
  model.hidden_size = 1000;  // 4000 bytes a token
  std::vector<server_record> servers{serving(1, {0, 4}), serving(2, {4, 8}), serving(3, {4, 8})};
  servers[0].pings = {{named(2), 10ms}, {named(3), 12ms}};
  // What comes from the first server: 40 ms a token to the second, 2 ms to the third.
  servers[1].pings = {{named(1), 10ms, 1e5f}};
  servers[2].pings = {{named(1), 12ms, 2e6f}};
  const auto planned_route = estimate_route(servers, model, covering({0, 8}), {});
  auto route = std::get<route_estimate>(planned_route);
  BOOST_TEST(chain(route) == "1[0:4] 3[4:8]");
  BOOST_TEST(route.costs[1].way == 0.006 + 0.002, nearly);
  // The same of a client's own way from the last server; to the first it knows none.
  const std::vector<ping_time> own{{named(2), 10ms, 1e5f}, {named(3), 12ms, 0}};
  BOOST_TEST((ways_to(own).at(named(2)) == 10ms));
  BOOST_TEST((ways_from(own, model, covering()).at(named(2)) == 90ms));
  BOOST_TEST((ways_from(own, model, covering()).at(named(3)) == 12ms));
}

BOOST_AUTO_TEST_CASE(some_of_those_at_the_ends_are_worth_measuring) {
  std::vector<server_record> servers;
  for (uint8_t i = 1; i <= 6; ++i) servers.push_back(serving(i, {0, 3}));
  for (uint8_t i = 11; i <= 13; ++i) servers.push_back(serving(i, {3, 6}));
  for (uint8_t i = 21; i <= 22; ++i) servers.push_back(serving(i, {5, 8}));
  servers.push_back(serving(30, {0, 8}, 100, make_model(40)));
  servers[3].state = server_state::draining;
  auto options = covering();
  options.block = {named(22)};
  auto ends = [&](const peer_id& start) {
    std::string text;
    for (auto& peer : ends_to_measure(servers, our_model(), options, start))
      text += std::to_string(peer.bytes[0]) + ' ';
    return text;
  };
  // Four of those that hold the first block, from there on in the circle, and all that may be used of the last.
  BOOST_TEST(ends(named(0)) == "1 2 3 5 21 ");
  BOOST_TEST(ends(named(3)) == "5 6 1 2 21 ");
}

BOOST_AUTO_TEST_CASE(a_further_hop_saves_a_millisecond_or_is_not_taken) {
  std::vector<server_record> servers{serving(1, {0, 8}), serving(2, {0, 8}, 99)};
  const auto chain_at = [&](std::chrono::microseconds back) {
    servers[0].pings = {{named(2), 100us}};
    route_knowledge known;
    known.source = {{named(1), 100us}, {named(2), 1s}};
    known.sink = {{named(1), back}, {named(2), 100us}};
    return chain(planned(servers, known));
  };
  // Back to the client over the second server would take 0.1 ms, and directly half of this.
  BOOST_TEST(chain_at(2000us) == "1[0:8]");
  BOOST_TEST(chain_at(3000us) == "1[0:7] 2[7:8]");
}

BOOST_AUTO_TEST_CASE(who_takes_too_long_to_be_measured_is_far) {
  std::vector<ping_time> ways{{named(1), 2ms}};
  add_far_ones(ways, {named(1), named(2)}, 300ms);
  BOOST_TEST((ways == std::vector<ping_time>{{named(1), 2ms}, {named(2), 75ms}}));
}

BOOST_AUTO_TEST_CASE(longer_steps_go_by_what_prompts_take) {
  std::vector<server_record> servers{serving(1, {0, 4}, 100), serving(2, {0, 8}, 50)};
  servers[0].forward_per_s = 1000;
  servers[1].forward_per_s = 500;
  auto route = planned(servers);
  BOOST_TEST(chain(route) == "2[0:8]");
  BOOST_TEST(route.seconds_further() == 0.002, nearly);
  BOOST_TEST(route.speed_announced());
  servers[1].forward_per_s = 0;  // as long as a step of one
  BOOST_TEST(planned(servers).seconds_further() == 0.02, nearly);
  servers[0].steps_per_s = servers[1].steps_per_s = 0;
  BOOST_TEST(!planned(servers).speed_announced());
}

BOOST_AUTO_TEST_CASE(whoever_feeds_and_takes_knows_its_own_ways) {
  std::vector<server_record> servers{serving(1, {0, 8}), serving(2, {0, 8}), serving(3, {0, 8})};
  servers[0].pings = {{named(3), 100ms}};
  route_knowledge known;
  known.source = {{named(1), 40ms}, {named(2), 10ms}, {named(3), 2ms}};
  known.sink = {{named(1), 2ms}, {named(2), 10ms}, {named(3), 40ms}};
  auto route = planned(servers, known);
  BOOST_TEST(chain(route) == "2[0:8]");
  BOOST_TEST(route.costs[0].way == 0.005, nearly);
  BOOST_TEST(route.costs[0].way_measured);
  BOOST_TEST(route.last_way == 0.005, nearly);
  BOOST_TEST(route.last_way_measured);
}

BOOST_AUTO_TEST_CASE(a_banned_server_serves_what_nobody_else_holds_and_an_excluded_one_nothing) {
  const std::vector<server_record> servers{serving(1, {0, 8}, 1000), serving(2, {0, 3}, 1), serving(3, {5, 8}, 1)};
  route_knowledge known;
  known.banned = {named(1)};
  BOOST_TEST(chain(planned(servers, known)) == "2[0:3] 1[3:5] 3[5:8]");
  known.banned.clear();
  known.excluded = {named(1)};
  BOOST_TEST(refusal(servers, covering(), errc::missing_blocks, known) == "blocks 3:5 have no server");
}

BOOST_AUTO_TEST_CASE(a_server_known_to_be_slower_costs_so_much_more) {
  const std::vector<server_record> servers{serving(1, {0, 8}, 50), serving(2, {0, 8}, 40)};
  route_knowledge known;
  known.slower = {{named(1), 4ms}};
  BOOST_TEST(planned(servers, known).seconds() == 1 / 50.0 + 0.004 + 0.001, nearly);
  known.slower = {{named(1), 6ms}};
  BOOST_TEST(chain(planned(servers, known)) == "2[0:8]");
}

BOOST_AUTO_TEST_CASE(a_full_server_is_taken_last_and_told) {
  std::vector<server_record> servers{serving(1, {0, 8}, 50), serving(2, {0, 8}, 1)};
  servers[0].free_tokens = 99;
  auto route = planned(servers);
  BOOST_TEST(chain(route) == "2[0:8]");
  BOOST_TEST(!route.costs[0].seems_full);
  servers.pop_back();
  BOOST_TEST(planned(servers).costs[0].seems_full);
}

BOOST_AUTO_TEST_CASE(servers_that_come_or_go_are_not_used) {
  std::vector<server_record> servers{serving(1, {0, 8}, 50), serving(2, {0, 8}, 40), serving(3, {0, 8}, 1)};
  servers[0].state = server_state::draining;
  servers[1].state = server_state::joining;
  BOOST_TEST(chain(planned(servers)) == "3[0:8]");
}

BOOST_AUTO_TEST_CASE(the_users_lists_choose_among_servers) {
  const std::vector<server_record> servers{serving(1, {0, 8}, 50), serving(2, {0, 8}, 40), serving(3, {0, 8}, 30)};
  auto options = covering();
  options.block = {named(1)};
  BOOST_TEST(chain(planned(servers, {}, options)) == "2[0:8]");
  options.allow = {named(1), named(3)};
  BOOST_TEST(chain(planned(servers, {}, options)) == "3[0:8]");
  options.block.clear();
  BOOST_TEST(chain(planned(servers, {}, options)) == "1[0:8]");
}

BOOST_AUTO_TEST_CASE(blocks_that_a_list_left_without_server_name_the_list_and_the_server) {
  const std::vector<server_record> servers{serving(1, {0, 5}), serving(2, {4, 8})};
  auto options = covering();
  options.block = {named(2)};
  BOOST_TEST(
      refusal(servers, options) ==
      "blocks 5:8 have no server: the block list leaves out " + named(2).to_string() + ", which serves 4:8");
  options.block.clear();
  options.allow = {named(2)};
  BOOST_TEST(
      refusal(servers, options) ==
      "blocks 0:4 have no server: the allow list leaves out " + named(1).to_string() + ", which serves 0:5");
  // A list is not to blame for what nobody serves.
  options.allow.clear();
  options.block = {named(1)};
  BOOST_TEST(refusal({serving(1, {0, 2}), serving(2, {2, 4})}, [&] {
               auto rest = options;
               rest.blocks = {2, 8};
               return rest;
             }()) == "blocks 4:8 have no server");
}

BOOST_AUTO_TEST_CASE(other_weights_are_never_used_and_named_where_they_would_have_served) {
  const auto theirs = make_model(100);
  const std::vector<server_record> servers{serving(1, {0, 4}), serving(2, {4, 8}, 100, theirs)};
  const auto text = refusal(servers, covering(), errc::model_mismatch);
  BOOST_TEST(contains(text, "blocks 4:8 have no server"));
  BOOST_TEST(contains(text, named(2).to_string()));
  BOOST_TEST(contains(text, model::to_hex(theirs.digests.model, 6)));
  BOOST_TEST(contains(text, model::to_hex(our_model().digests.model, 6)));
}

BOOST_AUTO_TEST_CASE(the_same_blocks_of_another_model_are_used) {
  auto theirs = our_model();
  theirs.digests.blocks[7].fill(uint8_t{77});
  theirs.digests.model = model::model_digest(theirs.digests);
  BOOST_TEST(
      chain(planned({serving(1, {0, 4}, 100, theirs), serving(2, {4, 8}), serving(3, {4, 8}, 1000, theirs)})) ==
      "1[0:4] 2[4:8]");
}

BOOST_AUTO_TEST_CASE(whatever_a_stranger_announces_a_route_has_a_finite_cost) {
  constexpr auto nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  constexpr auto tiny = std::numeric_limits<float>::denorm_min();
  for (float odd : {nan, infinity, -infinity, -1.0f, tiny, std::numeric_limits<float>::max()}) {
    auto first = serving(1, {0, 5}, odd), second = serving(2, {3, 8});
    first.load = second.load = odd;
    first.pings = {{named(2), std::chrono::microseconds::min()}, {named(1), 1ms}, {named(77), 1ms}};
    second.pings = {{named(1), std::chrono::microseconds::max()}, {named(1), 5ms}};
    auto route = planned({first, second});
    BOOST_TEST(route.hops.size() == 2u);
    BOOST_TEST(std::isfinite(route.seconds()));
    BOOST_TEST(route.seconds() >= 0);
  }
  auto outside = serving(1, {0, 8});
  outside.blocks = {4, 80};
  BOOST_TEST(refusal({outside}, covering()) == "blocks 0:8 have no server");
}

BOOST_AUTO_TEST_CASE(round_trips_of_a_peer_are_what_it_says_else_what_others_say) {
  std::vector<server_record> servers{serving(1, {0, 4}), serving(2, {0, 4}), serving(3, {4, 8})};
  servers[0].pings = {{named(2), 7ms}, {named(3), -1us}};
  servers[1].pings = {{named(1), 3ms}, {named(3), 5ms}};
  servers[2].pings = {{named(1), 9ms}};
  const std::map<peer_id, std::chrono::microseconds> wanted{{named(2), 7ms}, {named(3), 9ms}};
  BOOST_TEST((round_trips_of(servers, named(1)) == wanted));
  BOOST_TEST(round_trips_of(servers, named(9)).empty());
}
