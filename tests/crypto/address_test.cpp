#include "crypto/address.hpp"

#include "known_key.hpp"

#include <boost/test/unit_test.hpp>

namespace corolla::crypto {

BOOST_AUTO_TEST_SUITE(addresses)

std::string with_peer(std::string_view place) {
  return "corolla://" + std::string{known_peer} + '@' + std::string{place};
}

BOOST_AUTO_TEST_CASE(an_address_survives_its_text) {
  for (auto place : {"example.org:31330", "127.0.0.1:1", "[::1]:65535", "[2001:db8::17]:80", "a_b-c:9"}) {
    auto parsed = address::parse(with_peer(place));
    BOOST_REQUIRE_MESSAGE(parsed, place);
    BOOST_TEST(parsed->peer.value().to_string() == known_peer);
    BOOST_TEST(parsed->to_string() == with_peer(place));
  }
}

BOOST_AUTO_TEST_CASE(host_and_port_stand_without_a_peer) {
  auto parsed = address::parse_host_port("[::]:0");
  BOOST_REQUIRE(parsed);
  BOOST_TEST(!parsed->peer);
  BOOST_TEST(parsed->host == "::");
  BOOST_TEST(parsed->port == 0);
  BOOST_TEST(parsed->to_string() == "[::]:0");
}

BOOST_AUTO_TEST_CASE(an_address_names_its_peer) {
  for (auto text :
       {"corolla://example.org:80", "corolla://@example.org:80", "example.org:80", "corolla://x@example.org:80"})
    BOOST_TEST(!address::parse(text), text);
}

BOOST_AUTO_TEST_CASE(other_schemes_are_refused) {
  auto text = with_peer("example.org:80");
  BOOST_TEST(!address::parse("http" + text.substr(7)));
  BOOST_TEST(!address::parse("Corolla" + text.substr(7)));
  BOOST_TEST(!address::parse(' ' + text));
  BOOST_TEST(!address::parse(text + '/'));
}

BOOST_AUTO_TEST_CASE(an_address_to_dial_has_a_port) {
  BOOST_TEST(!address::parse(with_peer("example.org:0")));
}

BOOST_AUTO_TEST_CASE(places_that_are_none_are_refused) {
  for (auto text : {"",        ":",        ":80",      "host",    "host:",  "host:65536", "host:-1",
                    "host:+1", "host:080", "host:1x",  "host: 1", "a b:1",  "-o:1",       "::1:80",
                    "[::1]",   "[]:1",     "[host]:1", "[::1:1",  "::1]:1", "[[::1]]:1",  "[fe80::1%eth0]:1",
                    "h/x:1",   "u@h:1",    "h\n:1"})
    BOOST_TEST(!address::parse_host_port(text), text);
}

BOOST_AUTO_TEST_CASE(a_zero_byte_hides_nothing) {
  using namespace std::string_view_literals;
  BOOST_TEST(!address::parse_host_port("[::1\0.example.org]:80"sv));
  BOOST_TEST(!address::parse_host_port("host\0.example.org:80"sv));
}

BOOST_AUTO_TEST_CASE(a_host_has_at_most_253_characters) {
  BOOST_TEST(address::parse_host_port(std::string(max_host, 'a') + ":1").has_value());
  BOOST_TEST(!address::parse_host_port(std::string(max_host + 1, 'a') + ":1"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::crypto
