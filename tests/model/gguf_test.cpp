#include "model/gguf.hpp"

#include <cmath>
#include <limits>

#include <boost/test/unit_test.hpp>

#include "model/checkpoint.hpp"
#include "tests/model/bytes.hpp"
#include "tests/model/gguf_writer.hpp"
#include "tests/support/temp_dir.hpp"

using namespace corolla::model;
using namespace corolla::tests;

namespace {

auto parse(std::string_view file) {
  return parse_gguf(bytes_of(file), "x.gguf");
}
auto parse(const gguf_writer& w) {
  // Kept: what was parsed points into it.
  static std::string file;
  file = w.bytes();
  return parse(file);
}

std::vector<float> decoded(const gguf_tensor& t) {
  std::vector<float> values(static_cast<size_t>(num_elements(t.dims).value()));
  decode(t.how, t.data.data(), dtype::float32, reinterpret_cast<std::byte*>(values.data()), values.size());
  return values;
}

/// Half-precision patterns of the scales used below.
constexpr uint16_t half_0_5 = 0x3800, half_2 = 0x4000, half_minus_1 = 0xbc00;

/// Element i has the four bits i % 16: byte i holds element i (low) and element i + 16 (high).
std::string nibbles() {
  std::string packed;
  for (int i = 0; i < 16; ++i) packed += static_cast<char>(i | (15 - i) << 4);
  return packed;
}

gguf_writer one_of_each() {
  gguf_writer w;
  w.field("u8", ggml::u8, uint8_t{200});
  w.field("i8", ggml::i8, int8_t{-100});
  w.field("u16", ggml::u16, uint16_t{60000});
  w.field("i16", ggml::i16, int16_t{-30000});
  w.u32("u32", 4000000000u);
  w.field("i32", ggml::i32, int32_t{-2000000000});
  w.field("u64", ggml::u64, std::numeric_limits<uint64_t>::max());
  w.field("i64", ggml::i64, std::numeric_limits<int64_t>::min());
  w.real("float32", 1e-5f);
  w.field("float64", ggml::float64, 0.1);
  w.field("yes", ggml::boolean, uint8_t{1});
  w.text("text", "caf\u00e9");
  w.texts("texts", {"a", "", "\u0120the"});
  byte_writer nested;
  nested.number(ggml::array).number(ggml::array).number(uint64_t{2});
  nested.number(ggml::u8).number(uint64_t{2}).number(uint8_t{1}).number(uint8_t{2});
  nested.number(ggml::boolean).number(uint64_t{1}).number(uint8_t{0});
  w.raw("nested", nested.bytes);
  w.floats("plain", {2, 3}, {1, 2, 3, 4, 5, 6});
  w.tensor("q8", ggml::q8_0, {32}, byte_writer().number(half_0_5).bytes + std::string(31, '\x80') + '\x7f');
  return w;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_type_of_metadata_is_read) {
  const auto contents = parse(one_of_each());
  const auto value = [&](std::string_view key) { return decode(contents.metadata.find(key)->second); };
  BOOST_TEST(value("u8") == 200);
  BOOST_TEST(value("i8") == -100);
  BOOST_TEST(value("u16") == 60000);
  BOOST_TEST(value("i16") == -30000);
  BOOST_TEST(value("u32") == 4000000000u);
  BOOST_TEST(value("i32") == -2000000000);
  BOOST_TEST(value("u64") == std::numeric_limits<uint64_t>::max());
  BOOST_TEST(value("i64") == std::numeric_limits<int64_t>::min());
  BOOST_TEST(value("float32").get<double>() == 1e-5);
  BOOST_TEST(value("float64").get<double>() == 0.1);
  BOOST_TEST(value("yes") == true);
  BOOST_TEST(value("text") == "caf\u00e9");
  BOOST_TEST(value("texts") == nlohmann::json::array({"a", "", "\u0120the"}));
  BOOST_TEST(value("nested") == nlohmann::json::parse("[[1,2],[false]]"));
}

BOOST_AUTO_TEST_CASE(tensors_are_listed_with_their_dimensions_reversed) {
  const auto contents = parse(one_of_each());
  BOOST_REQUIRE(contents.tensors.size() == 2u);
  BOOST_TEST(contents.tensors[0].dims == (shape{3, 2}), boost::test_tools::per_element());
  BOOST_TEST(decoded(contents.tensors[0]) == (std::vector<float>{1, 2, 3, 4, 5, 6}), boost::test_tools::per_element());
  gguf_writer old;
  old.version = 2;
  old.alignment = 64;
  old.u32("general.alignment", 64);
  old.floats("a", {1}, {1});
  old.floats("b", {1}, {2});
  BOOST_TEST(decoded(parse(old).tensors[1])[0] == 2.0f);
}

BOOST_AUTO_TEST_CASE(quantised_blocks_decode_to_what_their_definition_says) {
  gguf_writer w;
  std::string q8 = byte_writer().number(half_0_5).bytes;
  for (int i = 0; i < 32; ++i) q8 += static_cast<char>(8 * i - 128);
  w.tensor("q8", ggml::q8_0, {32}, q8);
  w.tensor("q4_0", ggml::q4_0, {32}, byte_writer().number(half_2).bytes + nibbles());
  w.tensor(
      "q4_1", ggml::q4_1, {32, 2},
      byte_writer().number(half_0_5).number(half_minus_1).bytes + nibbles() +
          byte_writer().number(half_2).number(half_0_5).bytes + nibbles());
  w.tensor("f16", ggml::f16, {2}, byte_writer().number(half_2).number(half_minus_1).bytes);
  w.tensor("bf16", ggml::bf16, {1}, byte_writer().number(uint16_t{0xbfc0}).bytes);
  const auto tensors = parse(w).tensors;
  const auto q8_values = decoded(tensors[0]), q4_0 = decoded(tensors[1]), q4_1 = decoded(tensors[2]);
  for (size_t i = 0; i < 32; ++i) {
    const auto q = static_cast<float>(i < 16 ? i : 31 - i);
    BOOST_TEST(q8_values[i] == 4 * static_cast<float>(i) - 64);
    BOOST_TEST(q4_0[i] == 2 * (q - 8));
    BOOST_TEST(q4_1[i] == 0.5f * q - 1);
    BOOST_TEST(q4_1[i + 32] == 2 * q + 0.5f);
  }
  BOOST_TEST(decoded(tensors[3]) == (std::vector<float>{2, -1}), boost::test_tools::per_element());
  BOOST_TEST(decoded(tensors[4])[0] == -1.5f);
}

BOOST_AUTO_TEST_CASE(a_file_cut_short_anywhere_is_refused) {
  const auto file = one_of_each().bytes();
  for (size_t size = 0; size < file.size(); ++size)
    CHECK_REFUSED(parse(std::string_view(file).substr(0, size)), "x.gguf", " ");
  BOOST_TEST(parse(file).tensors.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_anywhere_is_refused_or_leaves_everything_inside_the_file) {
  auto file = one_of_each().bytes();
  const auto* begin = bytes_of(file).data();
  const auto* end = begin + file.size();
  size_t refused = 0;
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    const auto mask = static_cast<char>(1 << (bit % 8));
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ mask);
    try {
      const auto contents = parse(file);
      for (const auto& [key, value] : contents.metadata) decode(value);
      for (const auto& t : contents.tensors) {
        BOOST_REQUIRE((t.data.data() >= begin && t.data.data() + t.data.size() <= end));
        decoded(t);
      }
    } catch (const checkpoint_error&) {
      ++refused;
    }
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ mask);
  }
  BOOST_TEST(refused > 1000u);
}

BOOST_AUTO_TEST_CASE(what_is_no_gguf_file_of_a_known_version_is_refused) {
  CHECK_REFUSED(parse(""), "x.gguf", "is empty");
  CHECK_REFUSED(parse("hello, this is text"), "x.gguf", "does not begin with 'GGUF'");
  gguf_writer w;
  w.version = 1;
  CHECK_REFUSED(parse(w), "x.gguf", "version 1; versions 2 and 3 are read");
  w.version = 0x03000000;
  CHECK_REFUSED(parse(w), "x.gguf", "big-endian");
}

BOOST_AUTO_TEST_CASE(counts_and_lengths_that_lie_are_refused_before_anything_is_allocated) {
  const auto with_field = [](const std::string& value) {
    gguf_writer w;
    w.raw("k", value);
    return w.bytes();
  };
  constexpr auto huge = uint64_t{1} << 60;
  CHECK_REFUSED(
      parse("GGUF" + byte_writer().number(3u).number(huge).number(uint64_t{0}).bytes), "x.gguf",
      "claims 1152921504606846976 tensors");
  CHECK_REFUSED(
      parse("GGUF" + byte_writer().number(3u).number(uint64_t{0}).number(huge).bytes), "x.gguf",
      "claims 1152921504606846976 metadata fields");
  CHECK_REFUSED(
      parse(with_field(byte_writer().number(ggml::string).number(huge).bytes)), "field 'k'", "has 1152921504606846976");
  CHECK_REFUSED(
      parse(with_field(byte_writer().number(ggml::array).number(ggml::u8).number(huge).bytes)), "field 'k'",
      "claims 1152921504606846976 elements");
  CHECK_REFUSED(
      parse(with_field(byte_writer().number(ggml::array).number(ggml::u64).number(uint64_t{1} << 24).bytes)),
      "field 'k'", "takes 134217728 bytes");
  CHECK_REFUSED(
      parse(with_field(byte_writer().number(ggml::array).number(ggml::string).number(uint64_t{1} << 24).bytes)),
      "field 'k'", "are left");
  CHECK_REFUSED(parse(with_field(byte_writer().number(13u).number(uint64_t{0}).bytes)), "field 'k'", "unknown type 13");
  byte_writer deep;
  for (int i = 0; i < 50; ++i) deep.number(ggml::array).number(uint64_t{1});
  CHECK_REFUSED(parse(with_field(byte_writer().number(ggml::array).bytes + deep.bytes)), "field 'k'", "nested deeper");
}

BOOST_AUTO_TEST_CASE(tensors_that_lie_about_their_place_or_size_are_refused) {
  const auto refused = [](const std::vector<int64_t>& dims, uint32_t type, uint64_t offset, const char* why) {
    gguf_writer w;
    w.tensor("pad", ggml::f32, {16}, std::string(64, '\0'));
    w.tensor_at("w", type, dims, offset);
    CHECK_REFUSED(parse(w), "'w'", why);
  };
  refused({int64_t{1} << 60}, ggml::f32, 0, "too many elements");
  refused({int64_t{1} << 32, int64_t{1} << 32}, ggml::f32, 0, "too many elements");
  refused({-4}, ggml::f32, 0, "not positive");
  refused({0}, ggml::f32, 0, "not positive");
  refused({}, ggml::f32, 0, "has 0 dimensions");
  refused({1, 1, 1, 1, 1}, ggml::f32, 0, "has 5 dimensions");
  refused({17}, ggml::f32, 0, "takes 68 bytes from byte 0 of 64");
  refused({1}, ggml::f32, 96, "from byte 96");
  refused({1}, ggml::f32, uint64_t{0} - 32, "from byte");
  refused({1}, ggml::f32, 4, "no multiple of 32");
  refused({8}, ggml::f32, 32, "overlap");
  refused({31}, ggml::q8_0, 0, "no multiple of 32");
  refused({256}, ggml::q6_k, 0, "has the type Q6_K; F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are supported");
  refused({1}, 77, 0, "has the type 77");
}

BOOST_AUTO_TEST_CASE(names_that_appear_twice_are_refused) {
  gguf_writer fields, tensors;
  fields.u32("k", 1);
  fields.u32("k", 2);
  CHECK_REFUSED(parse(fields), "field 'k'", "twice");
  tensors.floats("w", {1}, {1});
  tensors.floats("w", {1}, {1});
  CHECK_REFUSED(parse(tensors), "tensor 'w'", "twice");
}

BOOST_AUTO_TEST_CASE(an_alignment_that_is_no_power_of_two_is_refused) {
  for (const uint32_t alignment : {0u, 3u, 48u, 1u << 21}) {
    gguf_writer w;
    w.u32("general.alignment", alignment);
    CHECK_REFUSED(parse(w), "x.gguf", "general.alignment");
  }
}
