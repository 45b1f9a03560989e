// Peers that keep some of the rules.  The first two cases show that one which keeps all gets in: each other case
// changes one thing.
#include "foreign_peer.hpp"

#include <boost/test/unit_test.hpp>

namespace corolla::crypto {

BOOST_AUTO_TEST_SUITE(tls_with_foreign_peers)

struct foreign {
  tls_context ours{identity::generate()};
  foreign_peer peer;

  void keep_the_rules() {
    peer.show_certificate("ED25519");
    peer.offer_protocol(tls_protocol);
  }
};

bool refused(const tls_end& end, std::string_view words) {
  BOOST_TEST_MESSAGE(end.channel.failure());
  return end.state() == tls_state::failed && !end.channel.peer() && end.sink.asked == 0 &&
         end.channel.failure().find(words) != std::string::npos;
}

BOOST_FIXTURE_TEST_CASE(a_client_that_keeps_the_rules_is_let_in, foreign) {
  keep_the_rules();
  auto end = called_by(peer, ours);
  BOOST_TEST((end.state() == tls_state::open));
  BOOST_TEST(end.channel.peer().has_value());
}

BOOST_FIXTURE_TEST_CASE(a_server_that_keeps_the_rules_is_taken, foreign) {
  keep_the_rules();
  auto end = calling(peer, ours);
  BOOST_TEST((end.state() == tls_state::open));
  BOOST_TEST(end.channel.peer().has_value());
}

BOOST_FIXTURE_TEST_CASE(a_client_without_a_certificate_is_refused, foreign) {
  peer.offer_protocol(tls_protocol);
  BOOST_TEST(refused(called_by(peer, ours), "did not return a certificate"));
}

BOOST_FIXTURE_TEST_CASE(a_server_that_asks_for_no_certificate_learns_no_peer_and_is_one, foreign) {
  keep_the_rules();
  std::vector<char> hello;
  tls_end end{tls_channel::connect(ours, std::nullopt, hello)};
  end.out = std::move(hello);
  peer.begin(/*as_client=*/false);
  SSL_set_verify(peer.ssl(), SSL_VERIFY_NONE, nullptr);
  exchange(end, peer);
  BOOST_TEST((end.state() == tls_state::open));
  BOOST_TEST(SSL_get0_peer_certificate(peer.ssl()) == nullptr);
}

BOOST_AUTO_TEST_CASE(certificates_of_other_kinds_are_refused) {
  for (auto kind : {"RSA", "EC", "ED448"}) {
    foreign client, server;
    for (auto* peer : {&client.peer, &server.peer}) {
      peer->show_certificate(kind);
      peer->offer_protocol(tls_protocol);
    }
    BOOST_TEST(refused(called_by(client.peer, client.ours), ""), kind);
    BOOST_TEST(refused(calling(server.peer, server.ours), ""), kind);
  }
}

BOOST_FIXTURE_TEST_CASE(a_certificate_signed_by_another_is_refused, foreign) {
  auto key = make_key("ED25519");
  auto authority = make_key("ED25519");
  auto certificate = foreign_certificate(key.get(), authority.get());
  SSL_CTX_use_certificate(peer.settings(), certificate.get());
  SSL_CTX_use_PrivateKey(peer.settings(), key.get());
  peer.offer_protocol(tls_protocol);
  BOOST_TEST(refused(called_by(peer, ours), "not signed by its own Ed25519 key"));
}

BOOST_FIXTURE_TEST_CASE(a_chain_of_certificates_is_refused, foreign) {
  keep_the_rules();
  auto other = make_key("ED25519");
  auto second = foreign_certificate(other.get(), other.get());
  BOOST_REQUIRE(SSL_CTX_add1_chain_cert(peer.settings(), second.get()) == 1);
  BOOST_TEST(refused(called_by(peer, ours), "a chain of certificates"));
}

BOOST_AUTO_TEST_CASE(large_certificates_are_refused) {
  for (auto [padding, words] :
       {std::pair{size_t{2100}, "larger than 2048 bytes"}, {size_t{5000}, "excessive message size"}}) {
    foreign f;
    f.peer.show_certificate("ED25519", padding);
    f.peer.offer_protocol(tls_protocol);
    BOOST_TEST(refused(called_by(f.peer, f.ours), words));
  }
}

BOOST_FIXTURE_TEST_CASE(a_client_of_tls_1_2_is_refused, foreign) {
  keep_the_rules();
  SSL_CTX_set_max_proto_version(peer.settings(), TLS1_2_VERSION);
  BOOST_TEST(refused(called_by(peer, ours), "unsupported protocol"));
}

BOOST_FIXTURE_TEST_CASE(a_server_of_tls_1_2_is_refused, foreign) {
  keep_the_rules();
  SSL_CTX_set_max_proto_version(peer.settings(), TLS1_2_VERSION);
  BOOST_TEST(refused(calling(peer, ours), ""));
}

BOOST_FIXTURE_TEST_CASE(a_client_without_a_protocol_is_refused, foreign) {
  peer.show_certificate("ED25519");
  BOOST_TEST(refused(called_by(peer, ours), "does not speak corolla/1"));
}

BOOST_FIXTURE_TEST_CASE(a_server_without_a_protocol_is_refused, foreign) {
  peer.show_certificate("ED25519");
  BOOST_TEST(refused(calling(peer, ours), "does not speak corolla/1"));
}

BOOST_FIXTURE_TEST_CASE(a_client_with_another_protocol_is_refused, foreign) {
  peer.show_certificate("ED25519");
  peer.offer_protocol("corolla/2");
  BOOST_TEST(refused(called_by(peer, ours), "does not speak corolla/1"));
}

BOOST_FIXTURE_TEST_CASE(a_client_that_cannot_use_x25519_is_refused, foreign) {
  keep_the_rules();
  SSL_CTX_set1_groups_list(peer.settings(), "P-256");
  BOOST_TEST(refused(called_by(peer, ours), ""));
}

BOOST_FIXTURE_TEST_CASE(nothing_is_left_to_resume_a_session_with, foreign) {
  keep_the_rules();
  auto end = called_by(peer, ours);
  BOOST_REQUIRE((end.state() == tls_state::open));
  // A ticket would come after the handshake, with the first bytes.
  BOOST_TEST(end.channel.write(some_bytes(1), end.out));
  peer.take(std::exchange(end.out, {}));
  peer.drive();
  BOOST_TEST(SSL_SESSION_is_resumable(SSL_get0_session(peer.ssl())) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::crypto
