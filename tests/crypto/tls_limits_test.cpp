// What a peer may cost us.
#include "foreign_peer.hpp"

#include <boost/test/unit_test.hpp>

namespace corolla::crypto {

BOOST_AUTO_TEST_SUITE(tls_limits_of_a_channel)

BOOST_AUTO_TEST_CASE(a_handshake_that_never_ends_is_cut_at_the_limit) {
  tls_pair keys;
  tls_end server{tls_channel::accept(keys.server_context, {.handshake_bytes = 1000})};
  // A ClientHello that says it has 65,535 bytes, in records of one byte each: OpenSSL itself would wait for all of
  // them.
  std::vector<char> bytes = {0x16, 3, 1, 0, 4, 1, 0, '\xff', '\xff'};
  for (int i = 0; i < 1000; ++i) bytes.insert(bytes.end(), {0x16, 3, 1, 0, 1, 0});
  server.take(as_view(bytes).first(1000), /*piece=*/7);
  BOOST_TEST((server.state() == tls_state::handshaking));
  server.take(as_view(bytes).subspan(1000, 1), 1);
  BOOST_TEST((server.state() == tls_state::failed));
  BOOST_TEST(server.channel.failure() == "the peer did not prove its identity within 1000 bytes");
}

BOOST_AUTO_TEST_CASE(what_follows_the_handshake_at_once_does_not_count_towards_its_limit) {
  tls_pair pair;
  auto client = pair.dial({}, pair.server_key.peer());
  tls_end server{tls_channel::accept(pair.server_context)};
  server.take(as_view(std::exchange(client.out, {})), whole);
  client.take(as_view(std::exchange(server.out, {})), whole);
  BOOST_REQUIRE((client.state() == tls_state::open));
  auto message = some_bytes(1 << 20);
  BOOST_TEST(client.channel.write(message, client.out));
  server.take(as_view(client.out), whole);
  BOOST_TEST((server.state() == tls_state::open));
  BOOST_TEST((server.sink.taken == message));
}

BOOST_AUTO_TEST_CASE(a_real_handshake_takes_less_than_a_kilobyte_each_way) {
  tls_pair pair{{.handshake_bytes = 1024}};
  BOOST_TEST((pair.client.state() == tls_state::open));
  BOOST_TEST((pair.server.state() == tls_state::open));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_tls_fail_at_once) {
  tls_pair keys;
  for (std::string_view text : {"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n"}) {
    tls_end server{tls_channel::accept(keys.server_context)};
    server.take(as_view(text), whole);
    BOOST_TEST((server.state() == tls_state::failed));
  }
}

BOOST_AUTO_TEST_CASE(the_sending_key_is_replaced_before_it_wears_out) {
  tls_pair pair{{.records_per_key = 4}};
  auto message = some_bytes(100'000);
  size_t sent = 0;
  for (int i = 0; i < 5; ++i) {
    pair.client.out.clear();
    BOOST_TEST(pair.client.channel.write(message, pair.client.out));
    sent = pair.client.out.size();
    pair.server.take(as_view(pair.client.out), whole);
  }
  BOOST_TEST((pair.server.state() == tls_state::open));
  BOOST_TEST(pair.server.sink.taken.size() == 5 * message.size());
  BOOST_TEST(std::equal(message.begin(), message.end(), pair.server.sink.taken.end() - 100'000));
  // Seven records of 22 bytes more than they say, and a change of keys: 5 + 5 + 17.
  BOOST_TEST(sent == message.size() + 7 * 22 + 27);
}

struct open_foreign {
  tls_context ours{identity::generate()};
  foreign_peer peer;
  tls_end end;

  open_foreign() : end{open()} {}

  tls_end open() {
    peer.show_certificate("ED25519");
    peer.offer_protocol(tls_protocol);
    return called_by(peer, ours);
  }

  /// Has the peer change its key and ask for the same of us.
  void change_key() {
    SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(peer.ssl());
    exchange(end, peer);
  }
};

BOOST_FIXTURE_TEST_CASE(a_peer_may_change_its_key, open_foreign) {
  change_key();
  BOOST_REQUIRE((end.state() == tls_state::open));
  SSL_write(peer.ssl(), "hello", 5);
  exchange(end, peer);
  BOOST_TEST(std::equal(end.sink.taken.begin(), end.sink.taken.end(), as_view("hello").begin()));
  BOOST_TEST(end.sink.taken.size() == 5u);
}

BOOST_FIXTURE_TEST_CASE(a_goodbye_right_after_a_change_of_keys_is_said, open_foreign) {
  change_key();
  end.channel.close(end.out);
  peer.take(std::exchange(end.out, {}));
  peer.drive();
  BOOST_TEST((SSL_get_shutdown(peer.ssl()) & SSL_RECEIVED_SHUTDOWN) != 0);
}

BOOST_FIXTURE_TEST_CASE(a_change_of_keys_is_earned_by_a_mebibyte, open_foreign) {
  std::vector<char> mebibyte(1 << 20);
  for (int i = 0; i < 40; ++i) {
    SSL_write(peer.ssl(), mebibyte.data(), static_cast<int>(mebibyte.size()));
    exchange(end, peer);
    change_key();
  }
  BOOST_TEST((end.state() == tls_state::open));
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_does_nothing_but_change_keys_is_cut, open_foreign) {
  int changes = 0;
  for (; changes < 100 && end.state() == tls_state::open; ++changes) change_key();
  BOOST_TEST(changes == 17);
  BOOST_TEST(end.channel.failure() == "the peer changed its key too often");
}

BOOST_FIXTURE_TEST_CASE(a_flood_of_key_changes_in_one_piece_is_cut_as_it_begins, open_foreign) {
  for (int i = 0; i < 1000; ++i) {
    SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(peer.ssl());
  }
  auto flood = peer.drive();
  BOOST_TEST(flood.size() > 1000u * 20);
  end.take(as_view(flood), whole);
  BOOST_TEST((end.state() == tls_state::failed));
  BOOST_TEST(end.out.size() < 20u * 40);
}

BOOST_AUTO_TEST_CASE(a_server_that_sends_tickets_is_refused) {
  tls_context ours{identity::generate()};
  foreign_peer server;
  server.show_certificate("ED25519");
  server.offer_protocol(tls_protocol);
  SSL_CTX_set_session_id_context(server.settings(), reinterpret_cast<const unsigned char*>("x"), 1);
  SSL_CTX_set_num_tickets(server.settings(), 1);
  auto end = calling(server, ours);
  BOOST_TEST((end.state() == tls_state::failed));
  BOOST_TEST(end.channel.failure() == "the peer sent a message that has no place after the handshake");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::crypto
