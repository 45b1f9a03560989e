// Nodes behind a bad network: `corolla fault-proxy` as it is run by hand.
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "golden.hpp"
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

run_result generate(
    const swarm& s, const std::string& address, const std::string& tokens = "8",
    const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{"generate", "--model", s.model(),          "--peers", address,        "--threads", "1",
                                 "--ids",    "1,2,3",   "--max-new-tokens", tokens,    "--ignore-eos", "--json"};
  words.insert(words.end(), more.begin(), more.end());
  return run_corolla(words);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_late_and_slow_network_changes_times_and_no_token) {
  swarm s{tiny_model("llama"), {"0:4"}};
  const auto direct = generate(s, s.address());
  BOOST_TEST_REQUIRE(direct.end.is(0), direct.err);
  bad_network network{s.servers()[0], {"--delay", "10ms", "--jitter", "20%", "--rate", "20Mbit"}};
  const auto late = generate(s, network.address());
  BOOST_TEST_REQUIRE(late.end.is(0), late.err);
  const auto plain = nlohmann::json::parse(direct.out), through = nlohmann::json::parse(late.out);
  BOOST_TEST(through.at("ids") == plain.at("ids"));
  // A token is at least a round trip of twice 8 ms.
  BOOST_TEST(through.at("tokens_per_s").get<double>() <= 1 / 0.016);
  network.child().signal(SIGTERM);
  BOOST_TEST(network.child().wait(patience).is(0));
}

BOOST_AUTO_TEST_CASE(nodes_reach_each_other_through_the_proxies_that_they_announce) {
  using runtime::direction;
  using std::chrono::milliseconds;
  const auto model = tiny_model("llama");
  proxied_server first{model, {"--node.blocks=0:2"}, {.delay = milliseconds{5}}};
  first.wait_until_ready();
  proxied_server second{
      model, {"--node.blocks=2:4", "--node.peers=[\"" + first.address() + "\"]"}, {.delay = milliseconds{5}}};
  second.wait_until_ready();
  const std::vector<std::string> words{
      "generate", "--model",          model, "--peers",      first.address(), "--threads", "1", "--ids",
      "1,2,3",    "--max-new-tokens", "8",   "--ignore-eos", "--json"};
  const auto done = run_corolla(words);
  BOOST_TEST_REQUIRE(done.end.is(0), done.err);
  const swarm direct{model, {"0:2", "2:4"}};
  const auto expected = nlohmann::json::parse(generate(direct, direct.address()).out);
  const auto got = nlohmann::json::parse(done.out);
  BOOST_TEST(got.at("ids") == expected.at("ids"));
  // From the client to the first, on to the second and back: each way was late.
  BOOST_TEST(got.at("tokens_per_s").get<double>() <= 1 / 0.015);
  BOOST_TEST(first.network.passed(direction::to) > 0u);
  BOOST_TEST(second.network.passed(direction::from) > 0u);
}

BOOST_AUTO_TEST_CASE(flipped_bits_end_connections_and_never_give_a_wrong_token) {
  swarm s{tiny_model("llama"), {"0:4"}};
  const auto direct = generate(s, s.address(), "100");
  BOOST_TEST_REQUIRE(direct.end.is(0), direct.err);
  // So often that no connection lasts for what there is to restore.
  bad_network network{s.servers()[0], {"--flip-after", "8000"}};
  const auto result = generate(s, network.address(), "100", {"--step-timeout-ms", "4000"});
  BOOST_TEST(result.end.is(1), result.out);
  BOOST_TEST(result.out == "");
  BOOST_TEST(result.err.starts_with("corolla: "), result.err);
  const auto again = generate(s, s.address(), "100");
  BOOST_TEST_REQUIRE(again.end.is(0), again.err);
  BOOST_TEST(nlohmann::json::parse(again.out).at("ids") == nlohmann::json::parse(direct.out).at("ids"));
}

BOOST_AUTO_TEST_CASE(cut_connections_cost_no_token) {
  swarm s{tiny_model("llama"), {"0:4"}};
  const auto direct = generate(s, s.address(), "100");
  BOOST_TEST_REQUIRE(direct.end.is(0), direct.err);
  bad_network network{s.servers()[0], {"--cut-after", "60000"}};
  const auto result = generate(s, network.address(), "100");
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  const auto got = nlohmann::json::parse(result.out);
  BOOST_TEST(got.at("ids") == nlohmann::json::parse(direct.out).at("ids"));
  BOOST_TEST(got.at("recoveries").size() >= 1u);
}

}  // namespace corolla::tests
