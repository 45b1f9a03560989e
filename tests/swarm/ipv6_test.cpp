// A swarm that is reached at ::1; skipped, with a word, on a machine that has no such address.
#include <boost/test/unit_test.hpp>

#include <string>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "golden.hpp"

namespace corolla::tests {

namespace {

bool has_loopback() {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const auto fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto bound = fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (fd >= 0) ::close(fd);
  return bound;
}

boost::test_tools::assertion_result has_ipv6(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(has_loopback());
  result.message() << "this machine has no ::1";
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(
    a_ready_line_with_an_ipv6_address_is_what_clients_and_servers_dial, *boost::unit_test::precondition(has_ipv6)) {
  const golden expected{"llama"};
  swarm s{expected.folder(), {"0:2", "2:4"}, {"--node.host=::1"}};
  for (const auto& one : s.servers())
    BOOST_TEST(one.ready_line().find("@[::1]:" + std::to_string(one.port()) + " model=") != std::string::npos);
  auto words = continuation(expected.prompts()[0], expected.greedy()[0].size());
  words.push_back("--json");
  const auto result = s.run("generate", words);
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  const auto answer = nlohmann::json::parse(result.out);
  BOOST_TEST(answer.at("ids").get<token_ids>() == expected.greedy()[0], boost::test_tools::per_element());
  BOOST_TEST(answer.at("route").size() == 2u);
}

}  // namespace corolla::tests
