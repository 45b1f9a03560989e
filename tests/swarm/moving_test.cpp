// A session that runs while a better server joins.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "recovery_fixture.hpp"
#include "tests/support/odd_server.hpp"

namespace corolla::tests {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// What the slow server takes for a pass: steps enough for longer than a route goes on without looking for a better
/// one.
constexpr milliseconds slow_pass{240};
constexpr milliseconds longest_until_look{15'200};

std::vector<actors::recovery_report> moves(scripted_session& session) {
  auto all = session.status().recoveries;
  std::erase_if(all, [](const actors::recovery_report& r) { return !r.moved; });
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_session_is_handed_over_to_a_better_server_where_that_is_better_by_enough) {
  const long_golden golden{"llama3-rope"};
  const auto steps = golden.text("of_100").as_script();
  process meeting_point{start_corolla({"node", "--node.serve=false", "--node.port=0"})};
  const auto ready = meeting_point.wait_for_line("ready ", patience);
  const auto address = ready.substr(6, ready.find(' ', 6) - 6);
  const auto options = [&](size_t hop) {
    return std::vector<std::string>{"--node.blocks=" + spans[hop], "--node.peers=[\"" + address + "\"]"};
  };
  server first{golden.folder(), options(0)}, last{golden.folder(), options(2)};
  odd_server slow{golden.folder(), options(1), slow_pass};
  first.wait_until_ready();
  last.wait_until_ready();
  slow.wait_until_ready();
  driven_client client{golden.folder(), address};
  scripted_session moves_soon{client, golden, steps, {}, {.better_by = 1.5}};
  scripted_session never_moves{client, golden, steps};
  size_t done = 0;
  const auto step = [&] {
    BOOST_TEST_REQUIRE(done < steps.size(), never_moves.told());
    moves_soon.start(done);
    never_moves.run(done, done + 1);
    moves_soon.finish(done++);
  };
  step();
  const auto begun = steady_clock::now();
  server fast{golden.folder(), options(1)};
  fast.wait_until_ready();
  while (steady_clock::now() - begun < longest_until_look) step();
  // The first of them looks, and behind the others a move would be over.
  for (int i = 0; i < 4; ++i) step();
  moves_soon.run(done, steps.size());
  const auto found = moves(moves_soon);
  BOOST_TEST_REQUIRE(found.size() == 1u, moves_soon.told());
  BOOST_TEST(found[0].handed_over);
  BOOST_TEST(to_string(found[0].blocks) == spans[1]);
  BOOST_TEST(moves_soon.hop_with(1).peer == fast.peer());
  // Keys and values came to it, and not each token's row alone.
  const auto row = static_cast<uint64_t>(client.ends().hidden_size()) * sizeof(float);
  BOOST_TEST(moves_soon.counters().at(1).server_bytes > steps.back().end() * row);
  moves_soon.check_counters({{1, 3}});
  BOOST_TEST(moves(never_moves).empty(), never_moves.told());
  BOOST_TEST(never_moves.hop_with(1).peer == slow.node.peer());
}

}  // namespace corolla::tests
