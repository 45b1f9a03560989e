// Nodes that do not agree on the time, by hours: who is in the swarm is judged by how long ago, never by when.
#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "long_golden.hpp"
#include "onlooker.hpp"
#include "tests/support/temp_dir.hpp"
#include "with_clock.hpp"

namespace corolla::tests {

namespace {

using namespace std::chrono_literals;

constexpr std::array<std::chrono::seconds, 3> clocks{5h, -5h, 0h};
/// A digest round, at which a node hears of what it said in an earlier life, and a machine that does much else.
constexpr auto believed = 10s;

/// A chain of three servers, one for each of the clocks above, with identities that outlive their processes.
class clocks_fixture {
 public:
  clocks_fixture() {
    BOOST_TEST_REQUIRE(golden_.margin() > golden_.tolerance());
    for (size_t i = 0; i < clocks.size(); ++i) start(i, clocks[i]);
  }

  server& node(size_t i) { return *servers_[i]; }

  /// With the key that it had before, if it was there; up when this returns.
  void start(size_t i, std::chrono::seconds ahead) {
    std::string peers;
    for (size_t other = 0; other < servers_.size(); ++other)
      if (other != i && servers_[other]) peers += (peers.empty() ? "\"" : ",\"") + servers_[other]->address() + '"';
    const std::vector<std::string> options{
        "--node.blocks=" + spans_[i], "--node.liveness=1s", "--node.peers=[" + peers + "]",
        "--node.identity=" + (folder_ / std::to_string(i)).string()};
    servers_[i] =
        std::make_unique<server>(start_node(corolla_executable(), golden_.folder(), options, with_clock(ahead)));
    servers_[i]->wait_until_ready();
  }

  /// Who is in the swarm, as a node tells it.
  std::set<std::string> told_by(size_t i) {
    const auto look = run_corolla({"swarm", "--json", "--peers", node(i).address()});
    BOOST_TEST_REQUIRE(look.end.is(0), look.err);
    std::set<std::string> addresses;
    const auto told = nlohmann::json::parse(look.out);
    for (const auto& model : told.at("models"))
      for (const auto& one : model.at("servers")) addresses.insert(one.at("addresses").at(0).get<std::string>());
    return addresses;
  }
  /// Of all servers; of one that restarted, where it is now.
  std::set<std::string> addresses() {
    std::set<std::string> all;
    for (const auto& one : servers_) all.insert(one->host_port());
    return all;
  }

  /// Clients with each of the clocks, too.
  void check_tokens(size_t asked) {
    const auto text = golden_.text("of_40");
    auto words = continuation(text.prompt, text.greedy.size());
    words.insert(words.begin(), {"generate", "--model", golden_.folder(), "--peers", node(asked).address()});
    for (const auto ahead : clocks) {
      const auto result = run_corolla(words, with_clock(ahead));
      BOOST_TEST(result.end.is(0), result.err);
      BOOST_TEST(result.out == to_list(text.greedy) + '\n');
    }
  }

  void check_that_all_see_all() {
    for (size_t i = 0; i < clocks.size(); ++i) BOOST_TEST_CONTEXT("node " << i) {
        BOOST_TEST(onlooker{node(i).address()}.sees(clocks.size(), believed));
        BOOST_TEST(told_by(i) == addresses(), boost::test_tools::per_element());
      }
  }

 private:
  const std::array<std::string, 3> spans_{"0:1", "1:2", "2:4"};
  temp_dir folder_;
  long_golden golden_{"llama3-rope"};
  std::array<std::unique_ptr<server>, 3> servers_;
};

/// A node is lost, the others miss it in time, and it comes back with its clock put back by so much.
void lose_and_restart(
    clocks_fixture& f, size_t lost, int signal, std::chrono::steady_clock::duration missed_within,
    std::chrono::seconds put_back) {
  std::vector<std::unique_ptr<onlooker>> ears;
  for (size_t i = 0; i < clocks.size(); ++i)
    if (i != lost) ears.push_back(std::make_unique<onlooker>(f.node(i).address()));
  for (auto& one : ears) BOOST_TEST_REQUIRE(one->sees(clocks.size(), believed));
  f.node(lost).child().signal(signal);
  for (auto& one : ears) BOOST_TEST(one->sees(clocks.size() - 1, missed_within));
  f.node(lost).child().wait(patience);
  f.start(lost, clocks[lost] - put_back);
  for (auto& one : ears) BOOST_TEST(one->sees(clocks.size(), believed));
  f.check_that_all_see_all();
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(nodes_whose_clocks_are_hours_apart_see_each_other_and_serve_together, clocks_fixture) {
  check_that_all_see_all();
  for (size_t i = 0; i < clocks.size(); ++i) check_tokens(i);
}

BOOST_FIXTURE_TEST_CASE(
    a_goodbye_is_heard_whatever_the_clock_and_who_comes_back_in_the_past_is_believed, clocks_fixture) {
  for (size_t lost = 0; lost < clocks.size(); ++lost) BOOST_TEST_CONTEXT("node " << lost) {
      lose_and_restart(*this, lost, SIGTERM, round + grace, 5h);
      check_tokens(lost);
    }
}

BOOST_FIXTURE_TEST_CASE(
    who_is_killed_is_gone_soon_whatever_the_clock_and_is_seen_again_when_it_is_back, clocks_fixture) {
  for (size_t lost = 0; lost < clocks.size(); ++lost) BOOST_TEST_CONTEXT("node " << lost) {
      lose_and_restart(*this, lost, SIGKILL, silence + round, 5h);
      check_tokens(lost);
    }
}

}  // namespace corolla::tests
