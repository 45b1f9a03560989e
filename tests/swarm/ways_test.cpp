// Ways are measured: servers announce how far those behind them are, and a client goes to the near one.
#include <boost/test/unit_test.hpp>

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/proxied_server.hpp"

namespace corolla::tests {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto far_away = 40ms;

runtime::fault_settings late() {
  runtime::fault_settings faults;
  faults.delay = far_away;
  return faults;
}

json route_of(const std::string& address) {
  const auto result = run_corolla({"route", "--model", tiny_model("llama"), "--peers", address, "--json"});
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  return json::parse(result.out).at("route");
}

std::string peer_of(const std::string& address) {
  return address.substr(10, address.find('@') - 10);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_client_takes_the_near_one_of_two_servers) {
  server meeting_point{tiny_model("llama"), {"--node.blocks=0:1"}};
  meeting_point.wait_until_ready();
  const auto peers = "--node.peers=[\"" + meeting_point.address() + "\"]";
  // The far one first and last in time, so that neither order decides.
  proxied_server far{tiny_model("llama"), {"--node.blocks=0:4", peers}, late()};
  far.wait_until_ready();
  server near{tiny_model("llama"), {"--node.blocks=0:4", peers}};
  near.wait_until_ready();
  proxied_server farther{tiny_model("llama"), {"--node.blocks=0:4", peers}, late()};
  farther.wait_until_ready();

  const auto route = route_of(meeting_point.address());
  BOOST_TEST(route.at("hops").at(route.at("hops").size() - 1).at("peer") == near.peer());
  BOOST_TEST(route.at("last_way_measured") == true);
  BOOST_TEST(route.at("hops").at(0).at("way_measured") == true);
  BOOST_TEST(route.at("last_way_ms") < 20.0);
  const auto generated = run_corolla(
      {"generate", "--model", tiny_model("llama"), "--peers", meeting_point.address(), "--ids", "1,2,3",
       "--max-new-tokens", "4", "--ignore-eos", "--json"});
  BOOST_TEST_REQUIRE(generated.end.is(0), generated.err);
  const auto taken = json::parse(generated.out).at("route");
  BOOST_TEST(taken.at(taken.size() - 1).at("peer") == near.peer());
}

BOOST_AUTO_TEST_CASE(a_server_announces_how_far_those_behind_it_are) {
  server meeting_point{tiny_model("llama"), {"--node.blocks=3:4"}};
  meeting_point.wait_until_ready();
  const auto peers = "--node.peers=[\"" + meeting_point.address() + "\"]";
  proxied_server far{tiny_model("llama"), {"--node.blocks=2:3", peers}, late()};
  far.wait_until_ready();
  server near{tiny_model("llama"), {"--node.blocks=2:3", peers}};
  near.wait_until_ready();
  server first{tiny_model("llama"), {"--node.blocks=0:2", peers}};
  first.wait_until_ready();
  // It has linked to both that hold block 2, and said so, when the route through them is known.
  const auto round_trips = [&] {
    const auto told = run_corolla({"swarm", "--peers", meeting_point.address(), "--json"});
    BOOST_TEST_REQUIRE(told.end.is(0), told.err);
    std::map<std::string, double> result;
    const auto all = json::parse(told.out);
    for (const auto& model : all.at("models"))
      for (const auto& server : model.at("servers"))
        if (server.at("peer") == first.peer())
          for (const auto& ping : server.at("pings")) result[ping.at("peer")] = ping.at("ms");
    return result;
  };
  std::map<std::string, double> pings;
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!(pings.contains(peer_of(far.address())) && pings.contains(near.peer())) &&
         std::chrono::steady_clock::now() < end)
    pings = round_trips();
  BOOST_TEST_REQUIRE(pings.contains(peer_of(far.address())));
  BOOST_TEST_REQUIRE(pings.contains(near.peer()));
  const auto twice = std::chrono::duration<double, std::milli>(2 * far_away).count();
  BOOST_TEST(pings.at(peer_of(far.address())) >= twice);
  BOOST_TEST(pings.at(near.peer()) < pings.at(peer_of(far.address())) - twice / 2);
  const auto route = route_of(meeting_point.address());
  BOOST_TEST(route.at("hops").at(1).at("peer") == near.peer());
  BOOST_TEST(route.at("hops").at(1).at("way_measured") == true);
}

}  // namespace corolla::tests
