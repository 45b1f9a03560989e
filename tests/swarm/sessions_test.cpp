// What `corolla swarm --sessions` tells of real processes: the counters of every hop while a generation rests.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "recovery_fixture.hpp"

namespace corolla::tests {

namespace {

/// Steps before a look; the first is the prompt.
constexpr size_t at = 5;

struct sessions_fixture {
  long_golden golden{"llama3-rope"};
  spare_swarm<server> servers{golden.folder(), single_blocks, /*copies=*/2};
  driven_client client{golden.folder(), servers.address()};
  script steps = golden.text("of_40").as_script();
  scripted_session session{client, golden, steps};

  /// What all servers say, by peer.
  std::map<std::string, nlohmann::json> told() {
    const auto look = run_corolla({"swarm", "--sessions", "--json", "--peers", servers.address()});
    BOOST_TEST_REQUIRE(look.end.is(0), look.err);
    std::map<std::string, nlohmann::json> all;
    const auto told = nlohmann::json::parse(look.out);
    for (const auto& server : told.at("servers")) all[server.at("peer")] = server;
    return all;
  }
  bool was_late() {
    const auto all = session.status().recoveries;
    return std::any_of(all.begin(), all.end(), [](const auto& recovery) { return recovery.late; });
  }
  static nlohmann::json only_session(const nlohmann::json& server) {
    BOOST_TEST_REQUIRE(server.contains("sessions"), server.dump());
    BOOST_TEST(server.at("total") == 1);
    BOOST_TEST_REQUIRE(server.at("sessions").size() == 1u);
    return server.at("sessions").at(0);
  }
};

/// A machine that stands still for a moment makes hops late, which are then replaced: that is not what is looked at.
/// `look` tells whether it has looked.
void look_at_a_session_without_late_hops(bool (*look)(sessions_fixture&)) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    sessions_fixture fresh;
    if (look(fresh)) return;
  }
  BOOST_ERROR("nothing was looked at: in each of three sessions a hop was late");
}

uint64_t number(const nlohmann::json& session, const char* name) {
  return session.at(name).get<uint64_t>();
}

bool look_at_idle_and_busy(sessions_fixture& f) {
  auto& session = f.session;
  const auto& steps = f.steps;
  const auto chunks = (steps.front().ids.front().size() + chunk_tokens - 1) / chunk_tokens;
  session.run(0, at);
  const auto all = f.told();
  if (f.was_late()) return false;
  BOOST_TEST(all.size() == 2 * single_blocks.size());
  size_t busy = 0;
  for (const auto& [peer, server] : all) busy += server.at("sessions").size();
  BOOST_TEST(busy == single_blocks.size());
  std::set<std::string> ids, clients;
  uint64_t of_first = 0;
  for (uint32_t hop = 0; hop < single_blocks.size(); ++hop) BOOST_TEST_CONTEXT("hop " << hop) {
      const auto s = sessions_fixture::only_session(all.at(session.hop_with(hop).peer));
      ids.insert(s.at("session").get<std::string>());
      clients.insert(s.at("client").get<std::string>());
      BOOST_TEST(s.at("session").get<std::string>().size() == 32u);
      BOOST_TEST(s.at("state") == "running");
      BOOST_TEST(number(s, "begin") == hop);
      BOOST_TEST(number(s, "end") == hop + 1);
      BOOST_TEST(number(s, "applied") == chunks + at - 1);
      BOOST_TEST(number(s, "steps") == chunks + at - 1);
      BOOST_TEST(number(s, "position") == steps[at - 1].end());
      BOOST_TEST(number(s, "restored") == 0u);
      BOOST_TEST(number(s, "dropped") == 0u);
      BOOST_TEST((number(s, "client_bytes") > 0) == (hop == 0));
      BOOST_TEST((number(s, "server_bytes") > 0) == (hop != 0));
      if (hop == 0) of_first = number(s, "client_bytes");
    }
  BOOST_TEST(ids.size() == single_blocks.size());
  BOOST_TEST(clients.size() == 1u);
  // Each token's row once, in float32.
  BOOST_TEST(of_first == steps[at - 1].end() * uint64_t(f.client.ends().hidden_size()) * sizeof(float));

  const auto table = run_corolla({"swarm", "--sessions", "--peers", f.servers.address()});
  BOOST_TEST(table.end.is(0), table.err);
  for (const auto& id : ids) BOOST_TEST(table.out.find(id.substr(0, 12)) != std::string::npos, table.out);
  BOOST_TEST(table.out.find("no session") != std::string::npos, table.out);
  return true;
}

bool look_behind_a_loss(sessions_fixture& f) {
  auto& session = f.session;
  const auto& steps = f.steps;
  session.run(0, at);
  const auto before = f.told();
  const auto victim = session.hop_with(1).peer;
  session.start(at);
  f.servers.strike(victim, SIGKILL);
  session.finish(at);
  const auto survivor = [&](const auto& all, uint32_t hop) {
    return sessions_fixture::only_session(all.at(session.hop_with(hop).peer));
  };
  session.run(at + 1, at + 3);
  const auto after = f.told();
  if (f.was_late()) return false;
  const auto position = steps[at + 2].end();
  for (const uint32_t hop : {0, 2, 3}) BOOST_TEST_CONTEXT("hop " << hop) {
      const auto was = survivor(before, hop), is = survivor(after, hop);
      BOOST_TEST(is.at("session") == was.at("session"));
      BOOST_TEST(number(is, "restored") == 0u);
      BOOST_TEST(number(is, "applied") == number(was, "applied") + 3);
      BOOST_TEST(number(is, "steps") == number(was, "steps") + 3);
      BOOST_TEST(number(is, "position") == position);
    }
  // The client gave its three tokens and nothing of the past.
  const auto row = uint64_t(f.client.ends().hidden_size()) * sizeof(float);
  BOOST_TEST(number(survivor(after, 0), "client_bytes") == position * row);

  BOOST_TEST(session.hop_with(1).peer != victim);
  const auto substitute = survivor(after, 1);
  // It has computed the step under way, unless the victim had.
  const auto restored = number(substitute, "restored"), computed = number(substitute, "steps");
  BOOST_TEST(restored + computed == position);
  BOOST_TEST(computed >= 2u);
  BOOST_TEST(computed <= 3u);
  BOOST_TEST(number(substitute, "applied") == number(survivor(after, 0), "applied"));
  BOOST_TEST(number(substitute, "position") == position);
  BOOST_TEST(number(substitute, "client_bytes") == 0u);
  return true;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_hop_tells_its_session_and_every_other_server_that_it_has_none) {
  look_at_a_session_without_late_hops(look_at_idle_and_busy);
}

BOOST_AUTO_TEST_CASE(after_a_loss_survivors_have_restored_nothing_and_the_substitute_all) {
  look_at_a_session_without_late_hops(look_behind_a_loss);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_does_not_answer_is_shown_as_such, sessions_fixture) {
  session.run(0, 1);
  const auto hung = session.hop_with(1).peer;
  servers.strike(hung, SIGSTOP);
  const auto all = told();
  servers.strike(hung, SIGCONT);
  size_t told = 0;
  for (const auto& [peer, server] : all) {
    if (peer == hung)
      BOOST_TEST(!server.at("failure").get<std::string>().empty());
    else
      told += server.contains("sessions") ? 1 : 0;
  }
  BOOST_TEST(told == all.size() - all.count(hung));
  BOOST_TEST(told == 2 * single_blocks.size() - 1);
}

BOOST_AUTO_TEST_CASE(a_prompt_comes_in_as_many_steps_as_its_chunks_are) {
  const long_golden golden{"llama3-rope"};
  const auto text = golden.text("of_40");
  const swarm servers{golden.folder(), {"0:2", "2:4"}};
  for (const size_t chunk : {1, 3, 7, 64}) BOOST_TEST_CONTEXT("chunks of " << chunk) {
      auto words = continuation(text.prompt, text.greedy.size());
      words.insert(words.end(), {"--json-stream", "--chunk-tokens", std::to_string(chunk)});
      auto client = servers.start("generate", words);
      BOOST_TEST_REQUIRE(client.read_line(patience).has_value());
      client.signal(SIGSTOP);  // wherever it is by now
      const auto look = run_corolla({"swarm", "--sessions", "--json", "--peers", servers.address()});
      client.signal(SIGCONT);
      BOOST_TEST_REQUIRE(look.end.is(0), look.err);
      const auto told = nlohmann::json::parse(look.out);
      BOOST_TEST(told.at("servers").size() == 2u);
      for (const auto& server : told.at("servers")) {
        const auto s = sessions_fixture::only_session(server);
        const auto tokens_after = number(s, "position") - text.prompt.size();
        BOOST_TEST(number(s, "steps") - tokens_after == (text.prompt.size() + chunk - 1) / chunk);
      }
      BOOST_TEST(client.wait(patience).is(0), client.errors());
    }
}

BOOST_AUTO_TEST_CASE(wrong_arguments_give_one_sentence) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"swarm", "--sessions"},
           {"swarm", "--session", "--peers", "x"},
           {"swarm", "--sessions=maybe", "--peers", "x"},
           {"swarm", "--sessions", "--peers", "x"}}) {
    const auto wrong = run_corolla(words);
    BOOST_TEST(wrong.end.is(2), wrong.err);
    BOOST_TEST(wrong.out == "");
    BOOST_TEST(std::count(wrong.err.begin(), wrong.err.end(), '\n') == 1, wrong.err);
  }
}

}  // namespace corolla::tests
