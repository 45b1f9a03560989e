#include "crypto/signed_record.hpp"

#include <boost/test/unit_test.hpp>

#include <type_traits>

namespace corolla::crypto {

BOOST_AUTO_TEST_SUITE(signed_records)

constexpr size_t max_payload = 64;

std::vector<std::byte> bytes_of(std::string_view text) {
  auto view = as_view(text);
  return {view.begin(), view.end()};
}

bool equal(byte_view a, byte_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

BOOST_AUTO_TEST_CASE(verified_bytes_come_from_open_alone) {
  static_assert(!std::is_default_constructible_v<verified_bytes>);
  static_assert(!std::is_aggregate_v<verified_bytes>);
  static_assert(!std::is_constructible_v<verified_bytes, const peer_id&, std::vector<std::byte>>);
}

BOOST_AUTO_TEST_CASE(a_record_opens_to_its_payload_and_signer) {
  auto author = identity::generate();
  auto opened = open(sign_record(author, "test", bytes_of("payload")), "test");
  BOOST_REQUIRE(opened);
  BOOST_TEST((opened->signer() == author.peer()));
  BOOST_TEST(equal(opened->bytes(), as_view("payload")));
}

BOOST_AUTO_TEST_CASE(a_record_for_another_purpose_does_not_open) {
  auto record = sign_record(identity::generate(), "announcement", bytes_of("payload"));
  BOOST_TEST(!open(record, "suspicion"));
  BOOST_TEST(!open(record, ""));
}

BOOST_AUTO_TEST_CASE(a_record_survives_its_bytes) {
  for (auto text : {"", "x", "payload"}) {
    auto record = sign_record(identity::generate(), "test", bytes_of(text));
    auto decoded = decode_record(encode(record), max_payload);
    BOOST_REQUIRE(decoded);
    BOOST_TEST((*decoded == record));
    BOOST_TEST(open(*decoded, "test").has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_record_with_any_bit_flipped_does_not_open) {
  auto bytes = encode(sign_record(identity::generate(), "test", bytes_of("payload")));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto forged = bytes;
    forged[bit / 8] ^= std::byte{1} << bit % 8;
    auto record = decode_record(forged, max_payload);
    BOOST_REQUIRE(record);
    BOOST_TEST(!open(*record, "test"));
  }
}

BOOST_AUTO_TEST_CASE(a_record_cut_anywhere_or_extended_does_not_open) {
  auto bytes = encode(sign_record(identity::generate(), "test", bytes_of("payload")));
  for (size_t size = 0; size < bytes.size(); ++size) {
    auto record = decode_record(byte_view{bytes}.first(size), max_payload);
    BOOST_TEST(record.has_value() == (size >= signed_record_overhead));
    BOOST_TEST((!record || !open(*record, "test")));
  }
  bytes.push_back(std::byte{0});
  BOOST_TEST(!open(decode_record(bytes, max_payload).value(), "test"));
}

BOOST_AUTO_TEST_CASE(a_payload_beyond_the_limit_is_not_taken) {
  auto fits = sign_record(identity::generate(), "test", std::vector<std::byte>(max_payload));
  BOOST_TEST(decode_record(encode(fits), max_payload).has_value());
  BOOST_TEST(!decode_record(encode(fits), max_payload - 1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::crypto
