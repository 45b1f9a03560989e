#include "crypto/identity.hpp"

#include "known_key.hpp"
#include "scratch_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace corolla::crypto {

BOOST_AUTO_TEST_SUITE(identities)

identity known_identity() {
  scratch_folder folder;
  return identity::load(folder.with("key", known_pem));
}

BOOST_AUTO_TEST_CASE(a_known_key_gives_its_known_id) {
  auto self = known_identity();
  auto key = from_hex(known_public_key);
  BOOST_TEST(self.public_key() == key, boost::test_tools::per_element());
  BOOST_TEST(self.peer().to_string() == known_peer);
  BOOST_TEST((peer_id::parse(known_peer) == self.peer()));
}

BOOST_AUTO_TEST_CASE(a_signature_is_what_another_program_makes_of_the_same_bytes) {
  // openssl pkeyutl -sign -rawin, over "corolla signature v1", a byte of value 4, "test", "hello".
  auto expected = from_hex(
      "cc2ff1f53929f9db2d314c06973c3a82453009c7507e5f03d4e6eb4155ab3f47"
      "945fd0072ab914a671ba5e300ef5062a716d7803c55c943a66d6aef3678e8309");
  auto signature = known_identity().sign("test", as_view("hello"));
  BOOST_TEST(signature == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_id_is_read_from_its_own_text_alone) {
  std::string text{known_peer};
  BOOST_TEST(!peer_id::parse(""));
  BOOST_TEST(!peer_id::parse(text.substr(1)));
  BOOST_TEST(!peer_id::parse(text + 'a'));
  BOOST_TEST(!peer_id::parse(text + "===="));
  auto upper = text;
  upper[0] = 'E';
  BOOST_TEST(!peer_id::parse(upper));
  // 52 characters hold four bits more than an id has.
  auto trailing = text;
  trailing.back() = 'r';
  BOOST_TEST(!peer_id::parse(trailing));
}

BOOST_AUTO_TEST_CASE(generated_keys_differ) {
  BOOST_TEST((identity::generate().peer() != identity::generate().peer()));
}

BOOST_AUTO_TEST_CASE(a_signature_holds_for_its_key_context_and_message_alone) {
  auto self = identity::generate();
  auto message = as_view("four blocks of it");
  auto signature = self.sign("announcement", message);
  BOOST_TEST(verify(self.public_key(), "announcement", message, signature));
  BOOST_TEST(!verify(identity::generate().public_key(), "announcement", message, signature));
  BOOST_TEST(!verify(self.public_key(), "announcements", message, signature));
  BOOST_TEST(!verify(self.public_key(), "", message, signature));
  BOOST_TEST(!verify(self.public_key(), "announcement", message.first(message.size() - 1), signature));
}

BOOST_AUTO_TEST_CASE(the_border_between_context_and_message_is_signed_too) {
  auto self = identity::generate();
  auto signature = self.sign("ab", as_view("c"));
  BOOST_TEST(!verify(self.public_key(), "a", as_view("bc"), signature));
  BOOST_TEST(!verify(self.public_key(), "abc", {}, signature));
}

BOOST_AUTO_TEST_CASE(a_signature_with_any_bit_flipped_is_refused) {
  auto self = identity::generate();
  auto signature = self.sign("test", as_view("message"));
  for (size_t bit = 0; bit < signature.size() * 8; ++bit) {
    auto forged = signature;
    forged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    BOOST_TEST(!verify(self.public_key(), "test", as_view("message"), forged));
  }
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_key_verify_nothing) {
  auto signature = identity::generate().sign("test", {});
  for (int value : {0x00, 0x01, 0x7f, 0xff}) {
    public_key_bytes key;
    key.fill(static_cast<uint8_t>(value));
    BOOST_TEST(!verify(key, "test", {}, signature));
  }
}

BOOST_AUTO_TEST_CASE(an_empty_message_and_the_longest_context_can_be_signed) {
  auto self = identity::generate();
  std::string longest(max_context, 'x');
  BOOST_TEST(verify(self.public_key(), longest, {}, self.sign(longest, {})));
  BOOST_CHECK_THROW(self.sign(longest + 'x', {}), std::invalid_argument);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::crypto
