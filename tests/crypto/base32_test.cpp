#include "crypto/base32.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <vector>

namespace corolla::crypto {

BOOST_AUTO_TEST_SUITE(base32)

std::vector<uint8_t> bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

BOOST_AUTO_TEST_CASE(the_vectors_of_rfc_4648_hold_both_ways) {
  constexpr std::pair<std::string_view, std::string_view> vectors[] = {
      {"", ""},
      {"f", "my"},
      {"fo", "mzxq"},
      {"foo", "mzxw6"},
      {"foob", "mzxw6yq"},
      {"fooba", "mzxw6ytb"},
      {"foobar", "mzxw6ytboi"}};
  for (auto& [plain, text] : vectors) {
    BOOST_TEST(to_base32(bytes_of(plain)) == text);
    std::vector<uint8_t> decoded(plain.size());
    BOOST_TEST(from_base32(text, decoded));
    BOOST_TEST(decoded == bytes_of(plain));
  }
}

BOOST_AUTO_TEST_CASE(no_two_texts_mean_the_same_bytes) {
  std::array<uint8_t, 2> decoded;
  size_t accepted = 0;
  std::string text = "mzxq";
  for (int c = 0; c < 256; ++c) {
    text.back() = static_cast<char>(c);
    accepted += from_base32(text, decoded) && decoded == std::array<uint8_t, 2>{'f', 'o'};
  }
  BOOST_TEST(accepted == 1u);
}

BOOST_AUTO_TEST_CASE(other_alphabets_and_lengths_are_refused) {
  std::array<uint8_t, 2> decoded;
  for (auto text : {"", "mzx", "mzxqa", "MZXQ", "mzx=", "mz1q", "mz8q", "mz q"})
    BOOST_TEST(!from_base32(text, decoded), text);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::crypto
