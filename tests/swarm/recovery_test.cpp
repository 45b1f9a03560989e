// Generations that lose a server under way, with real processes: each output is the reference's, at whatever step or
// chunk of the prompt whichever hop is killed.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "recovery_fixture.hpp"

namespace corolla::tests {

BOOST_FIXTURE_TEST_CASE(a_server_killed_at_any_step_costs_none, recovery_fixture) {
  const auto steps = golden.text("of_40").as_script();
  for (const uint32_t block : {0, 1, 3})
    for (size_t at = 1; at < steps.size(); ++at) BOOST_TEST_CONTEXT("block " << block << " at step " << at) {
        servers.wait_for_servers(2);
        scripted_session session{client, golden, steps};
        session.run(0, at);
        const auto victim = session.hop_with(block);
        session.start(at);
        servers.strike(victim.peer, SIGKILL);
        session.finish(at);
        session.run(at + 1, steps.size());
        // The output of the last step may have left the server before.
        if (at + 1 < steps.size()) {
          BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
          BOOST_TEST(session.hop_with(block).peer != victim.peer);
        }
        session.check_counters({victim.blocks});
        servers.replace(victim.peer);
      }
}

BOOST_FIXTURE_TEST_CASE(a_server_killed_at_any_chunk_of_a_prompt_costs_none, recovery_fixture) {
  const auto steps = golden.text("behind_300").as_script();
  const auto num_chunks = (steps.front().end() + chunk_tokens - 1) / chunk_tokens;
  for (const uint32_t block : {0, 1, 3})
    for (uint64_t chunk = 1; chunk <= num_chunks; ++chunk)
      BOOST_TEST_CONTEXT("block " << block << " at chunk " << chunk) {
        servers.wait_for_servers(2);
        hop_session victim;
        // When it has computed the chunk, and later ones are under way.
        const auto strike = [&](const hop_session& where, const actors::applied& event) {
          if (!victim.peer.empty() || event.seq != chunk || !where.blocks.contains({block, block + 1})) return;
          victim = where;
          servers.strike(victim.peer, SIGKILL);
        };
        scripted_session session{client, golden, steps, {.applied = strike}};
        session.run(0, steps.size());
        BOOST_TEST_REQUIRE(!victim.peer.empty());
        BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
        session.check_counters({victim.blocks});
        servers.replace(victim.peer);
      }
}

namespace {

/// `corolla generate` loses the server that `corolla route` names for a block when so many tokens have come.  Tells
/// whether it was replaced.
bool generate_and_lose(recovery_fixture& f, uint32_t block, size_t at_token) {
  const std::vector<std::string> swarm{"--model", f.golden.folder(), "--peers", f.servers.address()};
  std::vector<std::string> plan{"route", "--json"};
  plan.insert(plan.end(), swarm.begin(), swarm.end());
  const auto route = run_corolla(plan);
  BOOST_TEST_REQUIRE(route.end.is(0), route.err);
  const auto hops = nlohmann::json::parse(route.out).at("route").at("hops");
  const auto victim =
      *std::find_if(hops.begin(), hops.end(), [&](const auto& hop) { return block < hop.at("blocks").at(1); });
  const std::string peer = victim.at("peer");

  const auto text = f.golden.text("of_40");
  auto words = continuation(text.prompt, text.greedy.size());
  words.insert(words.begin(), {"generate", "--json-stream"});
  words.insert(words.end(), swarm.begin(), swarm.end());
  auto child = start_corolla(words);
  token_ids ids;
  nlohmann::json end;
  while (auto line = child.read_line(patience)) {
    end = nlohmann::json::parse(*line);
    if (!end.contains("id")) break;
    ids.push_back(end.at("id"));
    if (ids.size() == at_token) f.servers.strike(peer, SIGKILL);
  }
  BOOST_TEST(child.wait(patience).is(0), child.errors());
  BOOST_TEST(ids == text.greedy, boost::test_tools::per_element());
  f.servers.replace(peer);
  f.servers.wait_for_servers();
  for (const auto& recovery : end.at("recoveries"))
    if (recovery.at("blocks") == victim.at("blocks")) {
      BOOST_TEST(recovery.at("restored_tokens") >= text.prompt.size() + at_token - 1);
      return true;
    }
  return false;
}

}  // namespace

/// Most strikes hit the chain: a client may choose otherwise than was told just before, where servers are alike and
/// what they announce has changed.
BOOST_FIXTURE_TEST_CASE(a_client_tells_what_was_replaced, recovery_fixture) {
  size_t mended = 0;
  for (const uint32_t block : {0, 1, 3})
    for (const size_t at_token : {1, 20}) BOOST_TEST_CONTEXT("block " << block << " at token " << at_token)
  mended += generate_and_lose(*this, block, at_token) ? 1 : 0;
  BOOST_TEST(mended >= 3u);
}

}  // namespace corolla::tests
