// Servers that leave in order, with real processes: the text is the reference's, and nothing is computed again.
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "long_golden.hpp"

namespace corolla::tests {

namespace {

const std::vector<std::string> spans{"0:1", "1:3", "3:4"};

struct leaving_fixture {
  long_golden golden{"llama"};
  long_text text = golden.text("of_100");
  /// Of each span two: one of them is to leave.
  swarm servers{golden.folder(), {"0:1", "1:3", "3:4", "0:1", "1:3", "3:4"}};

  leaving_fixture() { BOOST_TEST_REQUIRE(golden.margin() > golden.tolerance()); }

  server& server_of(const std::string& peer) {
    for (auto& s : servers.servers())
      if (s.peer() == peer) return s;
    throw std::out_of_range("no server " + peer);
  }
  /// The first line that a client prints tells its route; `leave` is called with the server of a hop,
  /// and the client.
  void check(size_t hop, const std::function<void(server&, process&)>& leave) {
    auto words = continuation(text.prompt, text.greedy.size());
    words.push_back("--json-stream");
    auto client = servers.start("generate", words);
    token_ids ids;
    nlohmann::json end, route;
    std::string victim;
    while (auto line = client.read_line(patience)) {
      end = nlohmann::json::parse(*line);
      if (!end.contains("id")) break;
      ids.push_back(end.at("id"));
      if (ids.size() == 1) route = end.at("route");
      if (ids.size() == 2) {
        victim = route.at(hop).at("peer");
        leave(server_of(victim), client);
      }
    }
    BOOST_TEST(client.wait(patience).is(0), client.errors());
    BOOST_TEST(ids == text.greedy, boost::test_tools::per_element());
    // A machine that stands still for a moment makes hops late: that is not what is looked at here.
    size_t others = 0, of_victim = 0;
    for (const auto& recovery : end.at("recoveries"))
      if (recovery.at("late") == false) {
        ++(recovery.at("blocks") == route.at(hop).at("blocks") ? of_victim : others);
        BOOST_TEST(recovery.at("moved") == true, end.dump());
        BOOST_TEST(recovery.at("handed_over") == true, end.dump());
      } else if (recovery.at("blocks") == route.at(hop).at("blocks")) {
        ++of_victim;
      }
    BOOST_TEST(others == 0u, end.dump());
    BOOST_TEST(of_victim >= 1u, end.dump());
    BOOST_TEST(end.at("route").at(hop).at("peer") != victim);
    auto& left = server_of(victim).child();
    BOOST_TEST(left.wait(patience).is(0), left.errors());
    BOOST_TEST(left.errors() == "");
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_that_gets_sigterm_hands_over_and_ends) {
  for (size_t hop = 0; hop < spans.size(); ++hop) BOOST_TEST_CONTEXT("hop " << hop) {
      leaving_fixture f;
      f.check(hop, [](server& s, process&) { s.child().signal(SIGTERM); });
    }
}

BOOST_FIXTURE_TEST_CASE(a_server_leaves_when_it_is_asked_to, leaving_fixture) {
  check(1, [&](server& s, process& client) {
    client.signal(SIGSTOP);  // or it would be done before
    const auto asked = run_corolla({"drain", s.peer().substr(0, 12), "--peers", s.address()});
    BOOST_TEST(asked.end.is(0), asked.err);
    BOOST_TEST(asked.out == "server " + s.peer() + " leaves; sessions to move: 1\n");
    client.signal(SIGCONT);
  });
}

BOOST_FIXTURE_TEST_CASE(an_idle_server_that_is_asked_to_leaves_at_once, leaving_fixture) {
  auto& s = servers.servers()[1];
  const auto asked = run_corolla({"drain", s.peer(), "--peers", servers.address()});
  BOOST_TEST(asked.end.is(0), asked.err);
  BOOST_TEST(asked.out == "server " + s.peer() + " leaves; sessions to move: 0\n");
  BOOST_TEST(s.child().wait(patience).is(0), s.child().errors());
}

BOOST_AUTO_TEST_CASE(in_an_open_swarm_nobody_may_ask) {
  server s{tiny_model("llama"), {"--node.swarm=open"}};
  s.wait_until_ready();
  for (const std::vector<std::string>& words : {std::vector<std::string>{"drain", s.peer()}, {"swarm", "--sessions"}}) {
    auto all = words;
    all.insert(all.end(), {"--peers", s.address()});
    const auto asked = run_corolla(all);
    BOOST_TEST(asked.end.is(1), asked.err);
    BOOST_TEST(asked.err.find("only an admin of the swarm may ask") != std::string::npos, asked.err);
  }
}

BOOST_FIXTURE_TEST_CASE(whom_nobody_knows_cannot_be_asked, leaving_fixture) {
  const auto unknown = run_corolla({"drain", "0123", "--peers", servers.address()});
  BOOST_TEST(unknown.end.is(1));
  BOOST_TEST(unknown.err.find("no server there has the id 0123") != std::string::npos, unknown.err);
  const auto several = run_corolla({"drain", "", "--peers", servers.address()});
  BOOST_TEST(several.end.is(1));
  BOOST_TEST(several.err.find("several servers have an id that begins with") != std::string::npos, several.err);
  BOOST_TEST(run_corolla({"drain", "--peers", servers.address()}).end.is(2));
  BOOST_TEST(run_corolla({"drain", "0123"}).end.is(2));
}

}  // namespace corolla::tests
