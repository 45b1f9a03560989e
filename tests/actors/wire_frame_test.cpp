#include <boost/test/unit_test.hpp>

#include "actors/wire/frame.hpp"
#include "actors/wire/hello.hpp"
#include "actors/wire/little_endian.hpp"

namespace corolla::tests {
namespace {

using namespace actors::wire;

hello full_hello() {
  hello full;
  full.instance = 0x0123456789abcdef;
  full.min_version = 1;
  full.max_version = 3;
  full.is_server = true;
  full.software = "corolla/0.1.0";
  full.model_name = "tiny";
  full.model.fill(7);
  full.certificate = {1, 2, 3};
  full.takes = {17, 100'000, 65'536, 1'000'000};
  return full;
}

std::vector<std::byte> with_entry(std::string_view key, std::vector<std::byte> value) {
  auto bytes = encode(hello{});
  // The number of entries stands behind the magic and the two versions.
  bytes[12] = static_cast<std::byte>(std::to_integer<int>(bytes[12]) + 1);
  append(bytes, static_cast<uint8_t>(key.size()));
  for (auto c : key) bytes.push_back(static_cast<std::byte>(c));
  append(bytes, static_cast<uint16_t>(value.size()));
  bytes.insert(bytes.end(), value.begin(), value.end());
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(wire_frame)

BOOST_AUTO_TEST_CASE(a_header_survives_its_bytes) {
  frame_header header{frame_type::data, priority::bulk, 123'456, 0x0102030405060708};
  auto decoded = decode_header(encode(header));
  BOOST_TEST(decoded.fault == "");
  BOOST_TEST((decoded.header == header));
}

BOOST_AUTO_TEST_CASE(the_layout_is_the_one_in_the_grammar) {
  auto bytes = encode({frame_type::step, priority::step, 0x0000'0102, 0x1122'3344'5566'7788});
  const uint8_t expected[] = {23, 1, 0, 0, 2, 1, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
  for (size_t i = 0; i < bytes.size(); ++i) BOOST_TEST(std::to_integer<uint8_t>(bytes[i]) == expected[i]);
}

BOOST_AUTO_TEST_CASE(every_rule_of_a_type_is_checked) {
  auto wrong = [](frame_type type, priority cls, uint32_t length, uint64_t stream) {
    return !decode_header(encode({type, cls, length, stream})).fault.empty();
  };
  BOOST_TEST(!wrong(frame_type::ping, priority::control, 8, 0));
  BOOST_TEST(wrong(frame_type::ping, priority::control, 9, 0));
  BOOST_TEST(wrong(frame_type::ping, priority::control, 8, 1));
  BOOST_TEST(wrong(frame_type::ping, priority::step, 8, 0));
  BOOST_TEST(wrong(frame_type::data, priority::control, 8, 1));
  BOOST_TEST(!wrong(frame_type::data, priority::bulk, limits::chunk_bytes, 1));
  BOOST_TEST(wrong(frame_type::data, priority::bulk, limits::chunk_bytes + 1, 1));
  BOOST_TEST(wrong(frame_type::data, priority::bulk, 0, 1));
  BOOST_TEST(wrong(frame_type::step, priority::step, 3, 1));
  BOOST_TEST(wrong(frame_type::step, priority::step, 4, 0));
  BOOST_TEST(!wrong(frame_type::prompts, priority::bulk, 4, 1));
  BOOST_TEST(wrong(frame_type::prompts, priority::bulk, 3, 1));
  BOOST_TEST(wrong(frame_type::prompts, priority::bulk, 4, 0));
  BOOST_TEST(wrong(frame_type::prompts, priority::step, 4, 1));
  BOOST_TEST(wrong(frame_type::prompts, priority::control, 4, 1));
  BOOST_TEST(wrong(frame_type::open, priority::control, limits::body_bytes + 1, 1));
  BOOST_TEST(wrong(frame_type::open, static_cast<priority>(3), 0, 1));
  BOOST_TEST(wrong(frame_type::goodbye, priority::control, 0, 0));
  BOOST_TEST(wrong(static_cast<frame_type>(0), priority::control, 0, 0));
  BOOST_TEST(wrong(static_cast<frame_type>(100), priority::control, 0, 0));
}

BOOST_AUTO_TEST_CASE(types_of_the_future_may_be_skipped_as_long_as_they_are_short) {
  auto future = static_cast<frame_type>(0x80);
  BOOST_TEST(is_skippable(future));
  BOOST_TEST(decode_header(encode({future, priority::bulk, limits::body_bytes, 77})).fault == "");
  BOOST_TEST(decode_header(encode({future, priority::bulk, limits::body_bytes + 1, 77})).fault != "");
}

BOOST_AUTO_TEST_CASE(bits_that_must_be_zero_are) {
  for (size_t byte : {2, 3})
    for (int bit = 0; bit < 8; ++bit) {
      auto bytes = encode({frame_type::ping, priority::control, 8, 0});
      bytes[byte] = static_cast<std::byte>(1 << bit);
      BOOST_TEST(decode_header(bytes).fault != "");
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(wire_hello)

BOOST_AUTO_TEST_CASE(a_hello_survives_its_bytes) {
  for (auto& said : {hello{}, full_hello()}) {
    auto decoded = decode_hello(encode(said));
    BOOST_REQUIRE(decoded.has_value());
    BOOST_TEST((*decoded == said));
  }
}

BOOST_AUTO_TEST_CASE(no_shorter_and_no_longer_hello_is_taken) {
  auto bytes = encode(full_hello());
  for (size_t size = 0; size < bytes.size(); ++size)
    BOOST_TEST(!decode_hello(std::span{bytes}.first(size)).has_value());
  bytes.push_back(std::byte{0});
  BOOST_TEST(!decode_hello(bytes).has_value());
}

BOOST_AUTO_TEST_CASE(unknown_keys_are_passed_over) {
  auto decoded = decode_hello(with_entry("tomorrow", std::vector<std::byte>(500)));
  BOOST_REQUIRE(decoded.has_value());
  BOOST_TEST((*decoded == hello{}));
}

BOOST_AUTO_TEST_CASE(a_key_comes_once_and_has_a_size) {
  BOOST_TEST(!decode_hello(with_entry("server", {std::byte{1}})).has_value());
  BOOST_TEST(!decode_hello(with_entry("", {})).has_value());
  BOOST_TEST(!decode_hello(with_entry("seventeen letters", {})).has_value());
}

BOOST_AUTO_TEST_CASE(a_value_has_the_size_of_its_key) {
  for (auto key : {"digest", "certificate", "model"}) {
    auto decoded = decode_hello(with_entry(key, std::vector<std::byte>(1025)));
    BOOST_TEST(!decoded.has_value());
  }
  BOOST_TEST(!decode_hello(with_entry("digest", std::vector<std::byte>(31))).has_value());
  BOOST_TEST(!decode_hello(with_entry("instance", std::vector<std::byte>(4))).has_value());
  BOOST_TEST(decode_hello(with_entry("digest", std::vector<std::byte>(32))).has_value());
}

BOOST_AUTO_TEST_CASE(a_text_beyond_its_limit_is_our_own_mistake) {
  hello said;
  said.software = std::string(65, 'x');
  BOOST_CHECK_THROW(encode(said), std::length_error);
}

BOOST_AUTO_TEST_CASE(the_version_is_the_lower_maximum_if_both_speak_it) {
  auto speaks = [](uint16_t min, uint16_t max) {
    hello said;
    said.min_version = min;
    said.max_version = max;
    return said;
  };
  BOOST_TEST((common_version(speaks(1, 3), speaks(2, 5)) == std::optional<uint16_t>{3}));
  BOOST_TEST((common_version(speaks(2, 5), speaks(1, 3)) == std::optional<uint16_t>{3}));
  BOOST_TEST(!common_version(speaks(1, 1), speaks(2, 2)).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
