#include "crypto/tls.hpp"

#include "tls_pair.hpp"

#include <openssl/err.h>

#include <boost/test/unit_test.hpp>

#include <ostream>

namespace corolla::crypto {

std::ostream& operator<<(std::ostream& out, tls_state state) {
  constexpr const char* names[] = {"handshaking", "open", "closed", "failed"};
  return out << names[static_cast<size_t>(state)];
}

BOOST_AUTO_TEST_SUITE(tls)

BOOST_AUTO_TEST_CASE(both_sides_learn_who_the_other_is) {
  tls_pair pair;
  BOOST_TEST(pair.client.state() == tls_state::open);
  BOOST_TEST(pair.server.state() == tls_state::open);
  BOOST_TEST((pair.client.channel.peer() == pair.server_key.peer()));
  BOOST_TEST((pair.server.channel.peer() == pair.client_key.peer()));
}

BOOST_AUTO_TEST_CASE(bytes_that_come_one_by_one_do_as_well) {
  tls_pair pair{{}, /*piece=*/1};
  BOOST_TEST(pair.client.state() == tls_state::open);
  BOOST_TEST(pair.server.state() == tls_state::open);
  auto message = some_bytes(40'000);
  BOOST_TEST(pair.client.channel.write(message, pair.client.out));
  exchange(pair.client, pair.server, /*piece=*/1);
  BOOST_TEST((pair.server.sink.taken == message));
}

BOOST_AUTO_TEST_CASE(nobody_is_known_and_nothing_is_read_before_the_proof) {
  tls_pair keys;
  auto client = keys.dial({}, keys.server_key.peer());
  tls_end server{tls_channel::accept(keys.server_context)};
  BOOST_TEST(!client.channel.peer());
  server.take(as_view(client.out), whole);
  BOOST_TEST(server.state() == tls_state::handshaking);
  BOOST_TEST(!server.channel.peer());
  BOOST_TEST(server.sink.asked == 0u);
  BOOST_TEST(!server.channel.write(some_bytes(1), server.out));
  BOOST_TEST(!client.channel.write(some_bytes(1), client.out));
}

BOOST_AUTO_TEST_CASE(a_peer_other_than_the_expected_is_refused_before_anything_is_said) {
  auto stranger = identity::generate().peer();
  tls_pair pair{{}, whole, stranger};
  BOOST_TEST(pair.client.state() == tls_state::failed);
  BOOST_TEST(
      pair.client.channel.failure() ==
      "peer is " + pair.server_key.peer().to_string() + ", expected " + stranger.to_string());
  BOOST_TEST(!pair.client.channel.peer());
  BOOST_TEST(!pair.client.channel.write(some_bytes(1), pair.client.out));
  // The alert reached the server, which has not learned who called.
  BOOST_TEST(pair.server.state() == tls_state::failed);
  BOOST_TEST(!pair.server.channel.peer());
  BOOST_TEST(pair.server.channel.failure().starts_with("the peer refused: "));
}

BOOST_AUTO_TEST_CASE(a_dialler_may_take_whoever_answers) {
  tls_pair keys;
  tls_end client{tls_channel::connect(keys.client_context, std::nullopt, keys.client.out)};
  client.out = std::exchange(keys.client.out, {});
  tls_end server{tls_channel::accept(keys.server_context)};
  exchange(client, server);
  BOOST_TEST((client.channel.peer() == keys.server_key.peer()));
}

BOOST_AUTO_TEST_CASE(plaintext_of_any_size_arrives_intact_both_ways) {
  tls_pair pair;
  for (size_t size : {1, 2, 255, 4096, 16383, 16384, 16385, 100'000, 1 << 20}) {
    auto message = some_bytes(size);
    for (auto* ends : {&pair.client, &pair.server}) {
      auto& from = *ends;
      auto& to = ends == &pair.client ? pair.server : pair.client;
      BOOST_TEST(from.channel.write(message, from.out));
      exchange(from, to);
      BOOST_TEST((std::exchange(to.sink.taken, {}) == message), size);
    }
  }
}

BOOST_AUTO_TEST_CASE(plaintext_goes_where_the_sink_has_room) {
  tls_pair pair;
  collecting_sink narrow{/*room_size=*/3};
  auto message = some_bytes(20'000);
  BOOST_TEST(pair.client.channel.write(message, pair.client.out));
  pair.server.channel.feed(as_view(pair.client.out), narrow, pair.server.out);
  BOOST_TEST((narrow.taken == message));
}

BOOST_AUTO_TEST_CASE(out_may_hold_unsent_bytes) {
  tls_pair pair;
  pair.client.out = {'h', 'e', 'l', 'd'};
  BOOST_TEST(pair.client.channel.write(some_bytes(10), pair.client.out));
  BOOST_TEST(std::string(pair.client.out.data(), 4) == "held");
  pair.server.take(as_view(pair.client.out).subspan(4), whole);
  BOOST_TEST((pair.server.sink.taken == some_bytes(10)));
}

BOOST_AUTO_TEST_CASE(nothing_to_write_is_nothing_sent) {
  tls_pair pair;
  BOOST_TEST(pair.client.channel.write({}, pair.client.out));
  BOOST_TEST(pair.client.out.empty());
}

BOOST_AUTO_TEST_CASE(a_channel_closed_in_order_is_known_from_one_that_was_cut) {
  tls_pair pair;
  BOOST_TEST(pair.client.channel.write(some_bytes(10), pair.client.out));
  pair.client.channel.close(pair.client.out);
  BOOST_TEST(pair.client.state() == tls_state::closed);
  exchange(pair.client, pair.server);
  BOOST_TEST((pair.server.sink.taken == some_bytes(10)));
  BOOST_TEST(pair.server.state() == tls_state::closed);
  BOOST_TEST(!pair.server.channel.write(some_bytes(1), pair.server.out));
  BOOST_TEST(!pair.client.channel.write(some_bytes(1), pair.client.out));
  BOOST_TEST((pair.server.channel.peer() == pair.client_key.peer()));
}

BOOST_AUTO_TEST_CASE(closing_twice_or_before_the_proof_sends_nothing_more) {
  tls_pair pair;
  pair.client.channel.close(pair.client.out);
  auto sent = pair.client.out.size();
  pair.client.channel.close(pair.client.out);
  BOOST_TEST(pair.client.out.size() == sent);

  tls_end early{tls_channel::accept(pair.server_context)};
  early.channel.close(early.out);
  BOOST_TEST(early.state() == tls_state::closed);
  BOOST_TEST(early.out.empty());
}

BOOST_AUTO_TEST_CASE(any_flipped_byte_of_ciphertext_fails_the_channel) {
  constexpr size_t size = 20;
  for (size_t place = 0; place < size + 22; ++place) {
    tls_pair pair;
    BOOST_TEST(pair.client.channel.write(some_bytes(size), pair.client.out));
    BOOST_REQUIRE(pair.client.out.size() == size + 22);
    pair.client.out[place] ^= 1;
    pair.server.take(as_view(pair.client.out), whole);
    // A length that was flipped upwards leaves the record unfinished until more comes.
    pair.server.take(as_view(std::vector<char>(300)), whole);
    BOOST_TEST(pair.server.state() == tls_state::failed, "byte " << place);
    BOOST_TEST(pair.server.sink.taken.empty());
    BOOST_TEST(!pair.server.channel.failure().empty());
  }
}

BOOST_AUTO_TEST_CASE(a_failed_channel_takes_and_gives_nothing) {
  tls_pair pair;
  pair.server.take(as_view(std::vector<char>(100)), whole);
  BOOST_REQUIRE(pair.server.state() == tls_state::failed);
  pair.server.out.clear();
  BOOST_TEST(pair.client.channel.write(some_bytes(10), pair.client.out));
  pair.server.take(as_view(pair.client.out), whole);
  BOOST_TEST(pair.server.state() == tls_state::failed);
  BOOST_TEST(pair.server.sink.taken.empty());
  pair.server.channel.close(pair.server.out);
  BOOST_TEST(pair.server.state() == tls_state::failed);
  BOOST_TEST(pair.server.out.empty());
}

BOOST_AUTO_TEST_CASE(a_sink_may_answer_and_close_while_it_is_fed) {
  struct answering_sink : collecting_sink {
    explicit answering_sink(tls_end& end) : self{end} {}
    void filled(size_t size) override {
      collecting_sink::filled(size);
      answered = self.channel.write(some_bytes(5), self.out);
      self.channel.close(self.out);
    }
    tls_end& self;
    bool answered = false;
  };
  tls_pair pair;
  answering_sink sink{pair.server};
  BOOST_TEST(pair.client.channel.write(some_bytes(40'000), pair.client.out));
  auto state = pair.server.channel.feed(as_view(pair.client.out), sink, pair.server.out);
  BOOST_TEST(state == tls_state::closed);
  BOOST_TEST(sink.answered);
  BOOST_TEST(sink.taken.size() == 16384u);
  pair.client.take(as_view(pair.server.out), whole);
  BOOST_TEST((pair.client.sink.taken == some_bytes(5)));
  BOOST_TEST(pair.client.state() == tls_state::closed);
}

BOOST_AUTO_TEST_CASE(a_sink_without_room_ends_the_channel) {
  tls_pair pair;
  collecting_sink full{/*room_size=*/0};
  BOOST_TEST(pair.client.channel.write(some_bytes(10), pair.client.out));
  BOOST_TEST(pair.server.channel.feed(as_view(pair.client.out), full, pair.server.out) == tls_state::failed);
  BOOST_TEST(full.taken.empty());
}

BOOST_AUTO_TEST_CASE(a_channel_can_be_moved) {
  tls_pair pair;
  auto moved = std::move(pair.client.channel);
  BOOST_TEST(moved.write(some_bytes(10), pair.client.out));
  pair.server.take(as_view(pair.client.out), whole);
  BOOST_TEST((pair.server.sink.taken == some_bytes(10)));
}

BOOST_AUTO_TEST_CASE(errors_of_others_do_not_fail_a_channel_nor_does_it_leave_any) {
  tls_pair pair;
  ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
  BOOST_TEST(pair.client.channel.write(some_bytes(10), pair.client.out));
  ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
  pair.server.take(as_view(pair.client.out), whole);
  BOOST_TEST((pair.server.sink.taken == some_bytes(10)));
  ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
  pair.server.take(as_view(std::vector<char>(100)), whole);
  BOOST_TEST(pair.server.state() == tls_state::failed);
  BOOST_TEST(ERR_peek_error() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::crypto
