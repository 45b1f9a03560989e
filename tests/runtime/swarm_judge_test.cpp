// What the accepting side of a link says to a hello in a private swarm.
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "../support/temp_dir.hpp"
#include "crypto/membership.hpp"
#include "runtime/swarm.hpp"

namespace corolla::tests {

namespace {

using namespace std::chrono_literals;

/// A server of a private swarm, and another peer that says hello to it.
struct private_server {
  temp_dir dir;
  crypto::identity key = crypto::identity::generate();
  crypto::identity guest = crypto::identity::generate();
  actors::wire::link_config link = join().link;

  crypto::certificate invite(const crypto::peer_id& peer, crypto::role granted) const {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return crypto::issue(key, peer, granted, now + 1h);
  }

  runtime::swarm_membership join() const {
    const auto identity = crypto::identity::load_or_make(dir / "server.key");
    std::ofstream(dir / "server.cert") << crypto::to_text(invite(identity.peer(), crypto::role::server)) << '\n';
    const runtime::swarm_options options{
        "private", crypto::swarm_id::of(key.public_key()).to_string(), dir / "server.cert", dir / "server.key"};
    return runtime::join_swarm(options, /*is_server=*/true);
  }

  std::optional<actors::wire::refusal> judge(crypto::role granted, bool says_it_serves) {
    const auto shown = crypto::encode(invite(guest.peer(), granted));
    info.peer = guest.peer();
    info.is_server = says_it_serves;
    return link.judge({reinterpret_cast<const uint8_t*>(shown.data()), shown.size()}, info);
  }

  actors::link_info info;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_clients_certificate_lets_in_a_client_and_nobody_who_says_that_he_serves, private_server) {
  BOOST_TEST(!judge(crypto::role::client, false).has_value());
  BOOST_TEST((info.roles == std::vector{crypto::role::client}));
  const auto refused = judge(crypto::role::client, true);
  BOOST_TEST_REQUIRE(refused.has_value());
  BOOST_TEST((refused->code == actors::errc::not_a_member));
  BOOST_TEST(
      refused->text.find("makes its holder a client, and it takes a server") != std::string::npos, refused->text);
}

BOOST_FIXTURE_TEST_CASE(a_servers_certificate_lets_in_a_server, private_server) {
  BOOST_TEST(!judge(crypto::role::server, true).has_value());
  BOOST_TEST((info.roles == std::vector{crypto::role::server}));
}

BOOST_FIXTURE_TEST_CASE(nobody_is_let_in_without_a_certificate, private_server) {
  const auto refused = link.judge({}, info);
  BOOST_TEST_REQUIRE(refused.has_value());
  BOOST_TEST((refused->code == actors::errc::not_a_member));
}

}  // namespace corolla::tests
