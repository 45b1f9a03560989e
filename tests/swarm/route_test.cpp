// `corolla route`: the servers that a client would choose, which are those that it does choose.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/swarm.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

namespace {

using nlohmann::json;

run_result ask(const swarm& s, const std::vector<std::string>& more) {
  std::vector<std::string> words{"route", "--model", s.model(), "--peers", s.address()};
  words.insert(words.end(), more.begin(), more.end());
  return run_corolla(words);
}

json told(const swarm& s, std::vector<std::string> more) {
  more.push_back("--json");
  const auto result = ask(s, more);
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  return json::parse(result.out);
}

/// [{"peer": …, "blocks": …}, …] without all that takes time.
json chain(const json& hops) {
  auto result = json::array();
  for (const auto& hop : hops) result.push_back({{"peer", hop.at("peer")}, {"blocks", hop.at("blocks")}});
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_route_told_is_the_one_that_a_client_takes) {
  swarm s{tiny_model("llama"), {"0:2", "2:4"}};
  const auto route = told(s, {});
  BOOST_TEST(route.at("servers") == 2);
  BOOST_TEST(route.at("route").at("tokens_per_s") > 0.0);
  const auto result = s.run("generate", {"--ids", "1,2,3", "--max-new-tokens", "4", "--ignore-eos", "--json"});
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  BOOST_TEST(chain(json::parse(result.out).at("route")) == chain(route.at("route").at("hops")));
}

BOOST_AUTO_TEST_CASE(lists_of_servers_may_stand_in_a_file) {
  swarm s{tiny_model("llama"), {"0:4", "0:4"}};
  const temp_dir folder;
  const auto with = [&](const std::string& name, const std::string& content) {
    return s.run(
        "generate", {"--ids", "1,2,3", "--max-new-tokens", "2", "--ignore-eos", "--json", "--config-file",
                     folder.write(name, content).string()});
  };
  for (const auto& server : s.servers()) {
    const auto result = with("allow.ini", "; whom I know\nallow=\"" + server.peer() + "\"\nbetter-by=2\n");
    BOOST_TEST_REQUIRE(result.end.is(0), result.err);
    BOOST_TEST(json::parse(result.out).at("route").at(0).at("peer") == server.peer());
  }
  const auto all = s.servers()[0].peer() + "," + s.servers()[1].peer();
  const auto none = with("block.ini", "block=\"" + all + "\"\n");
  BOOST_TEST(none.end.is(1));
  BOOST_TEST(none.err.find("the block list leaves out") != std::string::npos, none.err);
  for (const auto& wrong : {"alow=\"x\"\n", "better-by=much\n", "allow=\"x\"\n"}) {
    const auto refused = with("wrong.ini", wrong);
    BOOST_TEST(refused.end.is(2), wrong);
    BOOST_TEST(std::count(refused.err.begin(), refused.err.end(), '\n') == 1, refused.err);
  }
  BOOST_TEST(s.run("generate", {"--ids", "1", "--config-file", (folder / "none.ini").string()}).end.is(2));
  const auto shipped = std::string{COROLLA_SOURCE_DIR} + "/config/client.ini";
  const auto plain = s.run("generate", {"--ids", "1,2,3", "--max-new-tokens", "1", "--config-file", shipped});
  BOOST_TEST(plain.end.is(0), plain.err);
}

BOOST_AUTO_TEST_CASE(it_tells_what_would_be_if_a_server_left_or_slowed_down) {
  swarm s{tiny_model("llama"), {"0:2", "2:4", "2:4"}};
  const auto now = told(s, {}).at("route");
  const std::string second = now.at("hops").at(1).at("peer"), first = s.servers()[0].peer();
  const auto other = second == s.servers()[1].peer() ? s.servers()[2].peer() : s.servers()[1].peer();
  BOOST_TEST(now.at("hops").at(0).at("gap_without") == "blocks 0:2 have no server");
  BOOST_TEST(now.at("hops").at(1).at("tokens_per_s_without") > 0.0);
  const auto left = told(s, {"--without", second});
  BOOST_TEST(left.at("changed").at("hops").at(1).at("peer") == other);
  const auto slow = told(s, {"--slow", second + "=10s"});
  BOOST_TEST(slow.at("changed").at("hops").at(1).at("peer") == other);
  BOOST_TEST(told(s, {"--without", first}).at("changed").at("problem") == "blocks 0:2 have no server");
  const auto both_slow = told(s, {"--slow", first + "=10s"}).at("changed").at("tokens_per_s").get<double>();
  BOOST_TEST(both_slow < 0.1);
}

BOOST_AUTO_TEST_CASE(it_explains_in_words_and_refuses_in_one_sentence) {
  swarm s{tiny_model("llama"), {"0:2", "2:4"}};
  const auto first = s.servers()[0].peer();
  const auto text = ask(s, {"--explain", "--without", first});
  BOOST_TEST(text.end.is(0), text.err);
  for (const auto& part :
       {std::string{"tokens/s"}, std::string{"compute ms"}, first, std::string{"with the changes asked for: none"}})
    BOOST_TEST(text.out.find(part) != std::string::npos, part << " is not in " << text.out);
  const auto blocked = ask(s, {"--block", first});
  BOOST_TEST(blocked.end.is(1));
  BOOST_TEST(blocked.out == "");
  BOOST_TEST(blocked.err.find("the block list leaves out " + first) != std::string::npos, blocked.err);
  const auto unknown = ask(s, {"--without", std::string(52, 'a')});
  BOOST_TEST(unknown.end.is(1));
  BOOST_TEST(unknown.err.find("no server aaaa") != std::string::npos, unknown.err);
}

}  // namespace corolla::tests
