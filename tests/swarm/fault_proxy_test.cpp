// Nodes behind a bad network: `corolla fault-proxy` as it is run by hand.
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "long_golden.hpp"
#include "tests/support/proxied_server.hpp"
#include "tests/support/swarm.hpp"

namespace corolla::tests {

namespace {

/// A proxy before `behind`.
class bad_network {
 public:
  bad_network(const server& behind, const std::vector<std::string>& faults) : child_{start(behind, faults)} {
    const auto line = child_.wait_for_line("ready ", patience);
    address_ = "corolla://" + behind.peer() + '@' + line.substr(line.find(' ') + 1);
  }

  /// What a client is given to reach the node through it.
  const std::string& address() const { return address_; }
  process& child() { return child_; }

 private:
  static process start(const server& behind, std::vector<std::string> words) {
    words.insert(words.begin(), {"fault-proxy", "--listen", "127.0.0.1:0", "--to", behind.host_port()});
    return start_corolla(words);
  }

  process child_;
  std::string address_;
};

/// A text whose margins say that its tokens are the reference's, wherever they are computed.
long_text known_text() {
  const long_golden golden{"llama"};
  BOOST_TEST_REQUIRE(golden.margin() > golden.tolerance());
  return golden.text("of_100");
}

/// Its first tokens, so many of them.
run_result generate(
    const std::string& address, const long_text& text, size_t tokens, const std::vector<std::string>& more = {}) {
  auto words = continuation(text.prompt, tokens);
  words.insert(
      words.begin(), {"generate", "--model", tiny_model("llama"), "--peers", address, "--threads", "1", "--json"});
  words.insert(words.end(), more.begin(), more.end());
  return run_corolla(words);
}

/// What it told, if the tokens are the reference's.
nlohmann::json check(const run_result& result, const long_text& text, size_t tokens) {
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  auto told = nlohmann::json::parse(result.out);
  const token_ids expected{text.greedy.begin(), text.greedy.begin() + static_cast<std::ptrdiff_t>(tokens)};
  BOOST_TEST(told.at("ids").get<token_ids>() == expected, boost::test_tools::per_element());
  return told;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_late_and_slow_network_changes_times_and_no_token) {
  const auto text = known_text();
  swarm s{tiny_model("llama"), {"0:4"}};
  bad_network network{s.servers()[0], {"--delay", "10ms", "--jitter", "20%", "--rate", "20Mbit"}};
  const auto told = check(generate(network.address(), text, 8), text, 8);
  // A token is at least a round trip of twice 8 ms.
  BOOST_TEST(told.at("tokens_per_s").get<double>() <= 1 / 0.016);
  network.child().signal(SIGTERM);
  BOOST_TEST(network.child().wait(patience).is(0));
}

BOOST_AUTO_TEST_CASE(nodes_reach_each_other_through_the_proxies_that_they_announce) {
  using runtime::direction;
  using std::chrono::milliseconds;
  const auto text = known_text();
  const auto model = tiny_model("llama");
  proxied_server first{model, {"--node.blocks=0:2"}, {.delay = milliseconds{5}}};
  first.wait_until_ready();
  proxied_server second{
      model, {"--node.blocks=2:4", "--node.peers=[\"" + first.address() + "\"]"}, {.delay = milliseconds{5}}};
  second.wait_until_ready();
  const auto told = check(generate(first.address(), text, 8), text, 8);
  // From the client to the first, on to the second and back: each way was late.
  BOOST_TEST(told.at("tokens_per_s").get<double>() <= 1 / 0.015);
  BOOST_TEST(first.network.passed(direction::to) > 0u);
  BOOST_TEST(second.network.passed(direction::from) > 0u);
}

BOOST_AUTO_TEST_CASE(flipped_bits_end_connections_and_never_give_a_wrong_token) {
  const auto text = known_text();
  swarm s{tiny_model("llama"), {"0:4"}};
  // So often that no connection lasts for what there is to restore.
  bad_network network{s.servers()[0], {"--flip-after", "8000"}};
  const auto result = generate(network.address(), text, 100, {"--step-timeout-ms", "4000"});
  BOOST_TEST(result.end.is(1), result.out);
  BOOST_TEST(result.out == "");
  BOOST_TEST(result.err.starts_with("corolla: "), result.err);
  check(generate(s.address(), text, 100), text, 100);
}

BOOST_AUTO_TEST_CASE(cut_connections_cost_no_token) {
  const auto text = known_text();
  swarm s{tiny_model("llama"), {"0:4"}};
  bad_network network{s.servers()[0], {"--cut", "60000"}};
  const auto told = check(generate(network.address(), text, 100), text, 100);
  BOOST_TEST(told.at("recoveries").size() >= 1u);
  BOOST_TEST_MESSAGE(told.at("recoveries").size() << " cuts, " << told.at("tokens_per_s") << " tokens/s");
  // Who is linked again is believed at once, and not when it speaks of itself the next time (20 s).
  BOOST_TEST(told.at("tokens_per_s").get<double>() >= 10);
}

}  // namespace corolla::tests
