// Generations that lose a server under way, with real processes: the text is the reference's, token by token.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <list>
#include <string>
#include <vector>

#include "golden.hpp"

namespace corolla::tests {

namespace {

const std::vector<std::string> spans{"0:1", "1:3", "3:4"};

/// For each span two servers, so that a client may lose one of any.
class doubled_swarm {
 public:
  explicit doubled_swarm(const std::filesystem::path& model) : model_{model} {
    for (int copy = 0; copy < 2; ++copy)
      for (const auto& span : spans) start(span);
  }

  /// Any that is left.
  const std::string& address() const { return servers_.front().of.address(); }

  void strike(const std::string& peer, int signal) {
    for (auto& s : servers_)
      if (s.of.peer() == peer) s.of.child().signal(signal);
  }
  /// A server that was struck ends, and another one of its span takes its place.
  void replace(const std::string& peer) {
    const auto struck =
        std::find_if(servers_.begin(), servers_.end(), [&](const member& s) { return s.of.peer() == peer; });
    const auto span = struck->span;
    servers_.erase(struck);  // which kills it
    start(span);
  }

 private:
  struct member {
    std::string span;
    server of;
  };

  void start(const std::string& span) {
    std::vector<std::string> options{"--node.blocks=" + span};
    if (!servers_.empty()) options.push_back("--node.peers=[\"" + address() + "\"]");
    servers_.push_back({span, server{model_, options}});
    servers_.back().of.wait_until_ready();
  }

  std::filesystem::path model_;
  std::list<member> servers_;
};

/// Generates, strikes the server of a hop when so many tokens have come, and looks at what comes of it.  True if
/// something was mended.
bool lose(doubled_swarm& s, const golden& g, size_t hop, size_t at_token, int signal) {
  const std::vector<std::string> swarm{"--model", g.folder(), "--peers", s.address()};
  // Who is to be struck is asked for beforehand: a client chooses as it is told here.
  std::vector<std::string> plan{"route", "--json"};
  plan.insert(plan.end(), swarm.begin(), swarm.end());
  const auto route = run_corolla(plan);
  BOOST_TEST_REQUIRE(route.end.is(0), route.err);
  const std::string victim = nlohmann::json::parse(route.out).at("route").at("hops").at(hop).at("peer");

  std::vector<std::string> words{"generate", "--json-stream"};
  words.insert(words.end(), swarm.begin(), swarm.end());
  for (auto& word : continuation(g.prompts().front(), g.greedy().front().size())) words.push_back(word);
  auto child = start_corolla(words);
  token_ids ids;
  nlohmann::json end;
  while (auto line = child.read_line(patience)) {
    end = nlohmann::json::parse(*line);
    if (!end.contains("id")) break;
    ids.push_back(end.at("id"));
    if (ids.size() == at_token) s.strike(victim, signal);
  }
  BOOST_TEST(child.wait(patience).is(0), child.errors());
  BOOST_TEST(ids == g.greedy().front(), boost::test_tools::per_element());
  // What was restored is the lost hop's rows and no more.
  for (const auto& recovery : end.at("recoveries")) {
    BOOST_TEST(recovery.at("blocks") == end.at("route").at(hop).at("blocks"));
    BOOST_TEST(recovery.at("late") == (signal == SIGSTOP));
    BOOST_TEST(recovery.at("restored_tokens") >= g.prompts().front().size() + at_token - 1);
  }
  s.replace(victim);
  return !end.at("recoveries").empty();
}

/// Of the strikes at these tokens most hit the chain: a client may choose otherwise than was told just before, where
/// servers are alike and what they announce has changed, and the last steps may be past the server already.
void lose_each(int signal, const std::vector<size_t>& tokens) {
  const golden g{"llama"};
  doubled_swarm s{g.folder()};
  size_t strikes = 0, mended = 0;
  for (size_t hop = 0; hop < spans.size(); ++hop)
    for (const auto at_token : tokens) BOOST_TEST_CONTEXT("hop " << hop << " at token " << at_token) {
        ++strikes;
        mended += lose(s, g, hop, at_token, signal);
      }
  BOOST_TEST(mended * 2 > strikes, mended << " of " << strikes);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_killed_at_any_token_costs_none) {
  std::vector<size_t> all;
  for (size_t i = 1; i < golden{"llama"}.greedy().front().size(); ++i) all.push_back(i);
  lose_each(SIGKILL, all);
}

BOOST_AUTO_TEST_CASE(a_server_that_stops_is_overtaken_by_another) {
  lose_each(SIGSTOP, {1, 7, 12});
}

}  // namespace corolla::tests
