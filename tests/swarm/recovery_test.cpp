// Generations that lose a server under way, with real processes: each output is the reference's, at whatever step or
// chunk of the prompt whichever hop is killed.
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <string>
#include <vector>

#include "recovery_fixture.hpp"

namespace corolla::tests {

BOOST_FIXTURE_TEST_CASE(a_server_killed_at_any_step_costs_none, recovery_fixture) {
  const auto steps = golden.text("of_40").as_script();
  for (size_t hop = 0; hop < spans.size(); ++hop)
    for (size_t at = 1; at < steps.size(); ++at) BOOST_TEST_CONTEXT("hop " << hop << " at step " << at) {
        servers.wait_for_servers(2);
        scripted_session session{client, golden, steps};
        session.run(0, at);
        const auto victim = session.server_of(hop);
        session.start(at);
        servers.strike(victim, SIGKILL);
        session.finish(at);
        session.run(at + 1, steps.size());
        // The output of the last step may have left the server before.
        if (at + 1 < steps.size()) {
          BOOST_TEST(session.num_recoveries(ranges[hop]) >= 1u, session.told());
          BOOST_TEST(session.server_of(hop) != victim);
        }
        session.check_counters();
        servers.replace(victim);
      }
}

BOOST_FIXTURE_TEST_CASE(a_server_killed_at_any_chunk_of_a_prompt_costs_none, recovery_fixture) {
  const auto steps = golden.text("behind_300").as_script();
  const auto num_chunks = (steps.front().end() + chunk_tokens - 1) / chunk_tokens;
  for (size_t hop = 0; hop < spans.size(); ++hop)
    for (uint64_t chunk = 1; chunk <= num_chunks; ++chunk) BOOST_TEST_CONTEXT("hop " << hop << " at chunk " << chunk) {
        servers.wait_for_servers(2);
        std::string victim;
        // When it has computed the chunk, and later ones are under way.
        const auto strike = [&](const hop_session& where, const actors::applied& event) {
          if (!victim.empty() || event.seq != chunk || where.blocks != ranges[hop]) return;
          victim = where.peer;
          servers.strike(victim, SIGKILL);
        };
        scripted_session session{client, golden, steps, {.applied = strike}};
        session.run(0, steps.size());
        BOOST_TEST_REQUIRE(!victim.empty());
        BOOST_TEST(session.num_recoveries(ranges[hop]) >= 1u, session.told());
        session.check_counters();
        servers.replace(victim);
      }
}

namespace {

/// `corolla generate` loses the server that `corolla route` names for a hop when so many tokens have come.  Returns
/// what was replaced.
nlohmann::json generate_and_lose(recovery_fixture& f, size_t hop, size_t at_token) {
  const std::vector<std::string> swarm{"--model", f.golden.folder(), "--peers", f.servers.address()};
  std::vector<std::string> plan{"route", "--json"};
  plan.insert(plan.end(), swarm.begin(), swarm.end());
  const auto route = run_corolla(plan);
  BOOST_TEST_REQUIRE(route.end.is(0), route.err);
  const std::string victim = nlohmann::json::parse(route.out).at("route").at("hops").at(hop).at("peer");

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
    if (ids.size() == at_token) f.servers.strike(victim, SIGKILL);
  }
  BOOST_TEST(child.wait(patience).is(0), child.errors());
  BOOST_TEST(ids == text.greedy, boost::test_tools::per_element());
  f.servers.replace(victim);
  f.servers.wait_for_servers();
  return end.at("recoveries");
}

}  // namespace

/// Most strikes hit the chain: a client may choose otherwise than was told just before, where servers are alike and
/// what they announce has changed.
BOOST_FIXTURE_TEST_CASE(a_client_tells_what_was_replaced, recovery_fixture) {
  size_t mended = 0;
  for (size_t hop = 0; hop < spans.size(); ++hop)
    for (const size_t at_token : {1, 20}) BOOST_TEST_CONTEXT("hop " << hop << " at token " << at_token) {
        const nlohmann::json blocks{ranges[hop].begin, ranges[hop].end};
        for (const auto& recovery : generate_and_lose(*this, hop, at_token)) {
          if (recovery.at("blocks") != blocks) continue;
          ++mended;
          BOOST_TEST(recovery.at("restored_tokens") >= golden.text("of_40").prompt.size() + at_token - 1);
        }
      }
  BOOST_TEST(mended >= 3u);
}

}  // namespace corolla::tests
