#include "crypto/tls_certificate.hpp"

#include "foreign_certificate.hpp"

#include <boost/test/unit_test.hpp>

namespace corolla::crypto {

BOOST_AUTO_TEST_SUITE(tls_certificates)

BOOST_AUTO_TEST_CASE(a_certificate_gives_the_key_it_was_made_for) {
  auto key = make_key("ED25519");
  auto certificate = make_certificate(key.get());
  public_key_bytes expected;
  auto size = expected.size();
  BOOST_REQUIRE(EVP_PKEY_get_raw_public_key(key.get(), expected.data(), &size) == 1);
  BOOST_TEST((self_signed_key(certificate.get()) == expected));
  BOOST_TEST(i2d_X509(certificate.get(), nullptr) < 512);
}

BOOST_AUTO_TEST_CASE(names_and_dates_mean_nothing) {
  auto key = make_key("ED25519");
  BOOST_TEST(self_signed_key(foreign_certificate(key.get(), key.get()).get()).has_value());
}

BOOST_AUTO_TEST_CASE(other_kinds_of_keys_are_refused) {
  for (auto kind : {"RSA", "EC", "ED448"}) {
    auto key = make_key(kind);
    BOOST_TEST(!self_signed_key(foreign_certificate(key.get(), key.get()).get()), kind);
  }
}

BOOST_AUTO_TEST_CASE(a_certificate_that_another_key_signed_is_refused) {
  auto key = make_key("ED25519");
  for (auto kind : {"ED25519", "RSA", "EC"})
    BOOST_TEST(!self_signed_key(foreign_certificate(key.get(), make_key(kind).get()).get()), kind);
}

BOOST_AUTO_TEST_CASE(a_certificate_has_at_most_2048_bytes) {
  auto key = make_key("ED25519");
  auto bare = i2d_X509(foreign_certificate(key.get(), key.get()).get(), nullptr);
  auto fits =
      foreign_certificate(key.get(), key.get(), /*padding=*/max_certificate_bytes - static_cast<size_t>(bare) - 40);
  BOOST_TEST(self_signed_key(fits.get()).has_value());
  auto large = foreign_certificate(key.get(), key.get(), /*padding=*/max_certificate_bytes);
  BOOST_TEST(!self_signed_key(large.get()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::crypto
