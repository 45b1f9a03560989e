// Who is in the swarm, as a node hears of it that is linked to nobody but a bootstrap node without blocks.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "onlooker.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

namespace {

using namespace std::chrono_literals;

/// The address in a ready line.
std::string address_in(const std::string& ready) {
  return ready.substr(6, ready.find(' ', 6) - 6);
}

process bootstrap_node(const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{"node", "--node.serve=false", "--node.liveness=1s"};
  words.insert(words.end(), more.begin(), more.end());
  return start_corolla(words);
}

std::vector<std::string> joining(const std::string& address, const std::string& blocks) {
  return {"--node.blocks=" + blocks, "--node.liveness=1s", "--node.peers=[\"" + address + "\"]"};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(swarm_directory)

BOOST_AUTO_TEST_CASE(who_says_goodbye_is_gone_within_a_second_and_who_is_killed_or_silent_soon_after_its_silence) {
  auto first = bootstrap_node();
  auto ready = first.wait_for_line("ready ", patience);
  BOOST_TEST(ready.ends_with(" serve=false"));
  auto address = address_in(ready);
  std::vector<server> servers;
  servers.reserve(3);
  for (auto blocks : {"0:1", "1:2", "2:4"}) servers.emplace_back(tiny_model("llama"), joining(address, blocks));
  for (auto& one : servers) one.wait_until_ready();
  onlooker here{address};
  BOOST_TEST_REQUIRE(here.sees(3, patience));

  servers[0].child().signal(SIGTERM);
  BOOST_TEST(here.sees(2, round + grace), "goodbye");
  servers[0].child().wait(patience);

  servers[1].child().signal(SIGKILL);
  BOOST_TEST(here.sees(1, round + grace), "a process that is killed ends its links at once");

  servers[2].child().signal(SIGSTOP);
  BOOST_TEST(here.sees(0, silence + round + grace), "silence");
  servers[2].child().signal(SIGCONT);
  BOOST_TEST(here.sees(1, 2s + grace), "back again");
}

BOOST_AUTO_TEST_CASE(without_the_node_that_all_were_started_with_the_others_still_hear_of_each_other) {
  auto first = bootstrap_node();
  auto address = address_in(first.wait_for_line("ready ", patience));
  std::vector<server> servers;
  servers.reserve(2);
  for (auto blocks : {"0:2", "2:4"}) {
    servers.emplace_back(tiny_model("llama"), joining(address, blocks));
    servers.back().wait_until_ready();
  }
  onlooker here{servers[0].address()};
  BOOST_TEST_REQUIRE(here.sees(2, patience));
  first.signal(SIGKILL);
  first.wait(patience);
  servers[1].child().signal(SIGTERM);
  // Far below the life of a record, which ends for whoever has nobody to hear from.
  BOOST_TEST(here.sees(1, 20s));
}

BOOST_AUTO_TEST_CASE(another_process_with_the_same_key_is_refused_and_the_first_goes_on) {
  temp_dir folder;
  auto first = bootstrap_node();
  auto address = address_in(first.wait_for_line("ready ", patience));
  auto options = joining(address, "0:4");
  options.push_back("--node.identity=" + (folder.path() / "key").string());
  server one{tiny_model("llama"), options};
  one.wait_until_ready();
  onlooker here{address};
  BOOST_TEST_REQUIRE(here.sees(1, patience));
  server two{tiny_model("llama"), options};
  auto end = two.child().wait(patience);
  BOOST_TEST(end.is(1));
  BOOST_TEST(two.child().errors().find("duplicate_link: another process with the identity ") != std::string::npos);
  BOOST_TEST(two.child().errors().find(one.peer()) != std::string::npos);
  BOOST_TEST(one.child().running());
  BOOST_TEST(here.sees(1, patience));
}

BOOST_AUTO_TEST_CASE(the_swarm_is_told_as_a_table_and_as_an_object) {
  auto first = bootstrap_node();
  auto address = address_in(first.wait_for_line("ready ", patience));
  auto none = run_corolla({"swarm", "--peers", address});
  BOOST_TEST(none.end.is(0), none.err);
  BOOST_TEST(none.out == "no server is known there\n");
  server llama{tiny_model("llama"), joining(address, "1:2")};
  server bloom{tiny_model("bloom"), joining(address, "0:1")};
  llama.wait_until_ready();
  bloom.wait_until_ready();

  auto table = run_corolla({"swarm", "--peers", address});
  BOOST_TEST(table.end.is(0), table.err);
  auto llama_at = table.out.find(llama.model());
  BOOST_TEST_REQUIRE(llama_at != std::string::npos);
  BOOST_TEST(table.out.find(bloom.model()) != std::string::npos);
  auto nobody = table.out.find("nobody", llama_at);
  BOOST_TEST(nobody < table.out.find(llama.peer().substr(0, 12), llama_at), "uncovered blocks come first");

  auto object = run_corolla({"swarm", "--json", "--peers", address});
  BOOST_TEST(object.end.is(0), object.err);
  auto models = nlohmann::json::parse(object.out).at("models");
  BOOST_TEST_REQUIRE(models.size() == 2u);
  for (auto& model : models) {
    auto& server = model.at("servers").at(0);
    BOOST_TEST(server.at("state") == "online");
    BOOST_TEST(server.at("numerics") == "cpu-f32");
    BOOST_TEST(server.at("steps_per_s").get<double>() > 0);
    BOOST_TEST(server.at("forward_per_s").get<double>() > 0);
    BOOST_TEST(server.at("free_tokens") == server.at("cache_tokens"));
    BOOST_TEST(model.at("holders").at(0).at("peers").empty());
  }
}

BOOST_AUTO_TEST_CASE(what_swarm_cannot_do_it_says_in_a_sentence) {
  auto usage = run_corolla({"swarm"});
  BOOST_TEST(usage.end.is(2));
  BOOST_TEST(usage.err.find("give --peers") != std::string::npos);
  auto wrong = run_corolla({"swarm", "--peers", "here"});
  BOOST_TEST(wrong.end.is(2));
  auto first = bootstrap_node();
  auto address = address_in(first.wait_for_line("ready ", patience));
  first.signal(SIGTERM);
  BOOST_TEST(first.wait(patience).is(0));
  auto gone = run_corolla({"swarm", "--peers", address});
  BOOST_TEST(gone.end.is(1));
  BOOST_TEST(gone.err.find("none of the given peers answered") != std::string::npos);
  BOOST_TEST(std::count(gone.err.begin(), gone.err.end(), '\n') == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
