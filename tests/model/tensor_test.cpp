#include "model/tensor.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include <boost/test/unit_test.hpp>

#include "model/block_range.hpp"
#include "model/convert.hpp"

using namespace corolla::model;

namespace {

tensor floats(shape dims, std::vector<float> values) {
  return tensor::of<float>(std::move(dims), values);
}

std::vector<float> values(const tensor& t) {
  const auto v = t.as<float>();
  return {v.begin(), v.end()};
}

tensor counted(shape dims) {
  std::vector<float> v(static_cast<size_t>(num_elements(dims).value()));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i);
  return floats(std::move(dims), v);
}

uint16_t half_of(float f, dtype type) {
  uint16_t h = 0;
  convert(dtype::float32, reinterpret_cast<const std::byte*>(&f), type, reinterpret_cast<std::byte*>(&h), 1);
  return h;
}

float float_of(uint16_t h, dtype type) {
  float f = 0;
  convert(type, reinterpret_cast<const std::byte*>(&h), dtype::float32, reinterpret_cast<std::byte*>(&f), 1);
  return f;
}

/// What a 16-bit pattern means, by the definition of the format.
double defined_value(uint16_t h, int exponent_bits) {
  const int fraction_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (h & 0x7fff) >> fraction_bits, fraction = h & ((1 << fraction_bits) - 1);
  const double sign = h & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1)
    return fraction ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

struct half_type {
  dtype type;
  int exponent_bits;
};
constexpr half_type half_types[] = {{dtype::float16, 5}, {dtype::bfloat16, 8}};

}  // namespace

BOOST_AUTO_TEST_CASE(every_pattern_of_sixteen_bits_reads_as_its_definition_says_and_comes_back) {
  for (const auto& [type, exponent_bits] : half_types)
    for (uint32_t i = 0; i < 0x10000; ++i) {
      const auto h = static_cast<uint16_t>(i);
      const auto expected = defined_value(h, exponent_bits);
      const auto f = float_of(h, type);
      if (std::isnan(expected)) {
        if (!std::isnan(f) || !std::isnan(float_of(half_of(f, type), type))) BOOST_ERROR("not a NaN: " << i);
      } else if (
          static_cast<double>(f) != expected || std::signbit(f) != std::signbit(expected) || half_of(f, type) != h) {
        BOOST_ERROR(to_string(type) << ' ' << i << " reads as " << f << ", is " << expected);
      }
    }
}

BOOST_AUTO_TEST_CASE(floats_between_two_halves_round_to_the_nearest_and_to_even_in_the_middle) {
  for (const auto& [type, exponent_bits] : half_types) {
    const auto infinity = static_cast<uint16_t>(((1 << exponent_bits) - 1) << (15 - exponent_bits));
    for (uint16_t h = 0; h + 1 < infinity; ++h) {
      const auto low = float_of(h, type), high = float_of(static_cast<uint16_t>(h + 1), type);
      const auto middle = low + (high - low) / 2;
      const auto even = static_cast<uint16_t>(h % 2 == 0 ? h : h + 1);
      const bool right = half_of(middle, type) == even && half_of(-middle, type) == (even | 0x8000) &&
                         half_of(std::nextafter(middle, low), type) == h &&
                         half_of(std::nextafter(middle, high), type) == h + 1;
      if (!right) BOOST_ERROR(to_string(type) << " between " << low << " and " << high);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_too_large_becomes_an_infinity) {
  BOOST_TEST(half_of(65519.0f, dtype::float16) == 0x7bff);
  BOOST_TEST(half_of(65520.0f, dtype::float16) == 0x7c00);
  BOOST_TEST(half_of(-1e30f, dtype::float16) == 0xfc00);
  BOOST_TEST(half_of(std::numeric_limits<float>::max(), dtype::bfloat16) == 0x7f80);
  BOOST_TEST(half_of(std::numeric_limits<float>::infinity(), dtype::bfloat16) == 0x7f80);
  // All fraction bits in the half that is cut off.
  BOOST_TEST(std::isnan(float_of(half_of(std::bit_cast<float>(0x7f800001u), dtype::bfloat16), dtype::bfloat16)));
  BOOST_TEST(std::isnan(float_of(half_of(std::bit_cast<float>(0xffffffffu), dtype::bfloat16), dtype::bfloat16)));
}

BOOST_AUTO_TEST_CASE(a_conversion_takes_any_length_and_any_alignment) {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{255}, size_t{256}, size_t{257}, size_t{1000}}) {
    std::vector<std::byte> in(4 * count + 1), out(2 * count + 3, std::byte{0xee});
    for (size_t i = 0; i < count; ++i) {
      const auto f = static_cast<float>(i);
      std::memcpy(in.data() + 1 + 4 * i, &f, 4);
    }
    convert(dtype::float32, in.data() + 1, dtype::float16, out.data() + 1, count);
    for (size_t i = 0; i < count; ++i) {
      uint16_t h = 0;
      std::memcpy(&h, out.data() + 1 + 2 * i, 2);
      BOOST_REQUIRE_EQUAL(float_of(h, dtype::float16), static_cast<float>(i));
    }
    BOOST_TEST((out.front() == std::byte{0xee} && out[2 * count + 1] == std::byte{0xee}));
  }
}

BOOST_AUTO_TEST_CASE(a_tensor_converts_between_float_types_alone_and_shares_its_bytes_where_the_type_is_the_same) {
  const auto t = floats({2, 2}, {1, -2, 0.5f, 65504});
  BOOST_TEST(values(t.to(dtype::float16).to(dtype::float32)) == values(t), boost::test_tools::per_element());
  BOOST_TEST(values(t.to(dtype::bfloat16).to(dtype::float16).to(dtype::float32))[1] == -2);
  BOOST_TEST((t.to(dtype::float32).bytes().data() == t.bytes().data()));
  BOOST_CHECK_THROW(t.to(dtype::int64), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(the_number_of_elements_is_refused_where_it_is_negative_or_overflows) {
  BOOST_TEST(num_elements(shape{}).value() == 1);
  BOOST_TEST(num_elements(shape{2, 3, 4}).value() == 24);
  BOOST_TEST(num_elements(shape{0, 5}).value() == 0);
  BOOST_TEST(!num_elements(shape{2, -1}));
  BOOST_TEST(!num_elements(shape{int64_t{1} << 60}));
  BOOST_TEST(num_elements(shape{(int64_t{1} << 60) - 1}).has_value());
  BOOST_TEST(!num_elements(shape{int64_t{1} << 40, int64_t{1} << 40}));
  BOOST_TEST(!num_elements(shape{0, int64_t{1} << 40, int64_t{1} << 40}));
}

BOOST_AUTO_TEST_CASE(bytes_that_do_not_fit_the_shape_are_refused) {
  BOOST_CHECK_THROW(tensor(dtype::float32, {2}, std::vector<std::byte>(7)), std::invalid_argument);
  BOOST_CHECK_THROW(tensor(dtype::float32, {-1}, std::vector<std::byte>()), std::invalid_argument);
  BOOST_CHECK_THROW(tensor::of<float>({3}, std::vector<float>(2)), std::invalid_argument);
  BOOST_TEST(tensor().numel() == 0);
  BOOST_TEST(tensor(dtype::uint8, {}, std::vector<std::byte>(1)).rank() == 0);
}

BOOST_AUTO_TEST_CASE(elements_are_read_as_their_own_type_only) {
  const std::vector<int64_t> ids = {1, 2, -3};
  const auto t = tensor::of<int64_t>({3}, ids);
  BOOST_TEST(t.as<int64_t>()[2] == -3);
  BOOST_CHECK_THROW(t.as<float>(), std::invalid_argument);
  BOOST_CHECK_THROW(tensor().as<int64_t>(), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_aligned_are_copied_and_aligned_ones_shared) {
  alignas(8) const std::array<std::byte, 16> bytes = {std::byte{0}, std::byte{0}, std::byte{0x80}, std::byte{0x3f}};
  const std::shared_ptr<const void> nobody;
  const tensor shared(dtype::float32, {2}, std::span(bytes).first(8), nobody);
  BOOST_TEST((shared.bytes().data() == bytes.data()));
  BOOST_TEST(shared.as<float>()[0] == 1.0f);
  const tensor copied(dtype::float32, {2}, std::span(bytes).subspan(1, 8), nobody);
  BOOST_TEST((copied.bytes().data() != bytes.data() + 1));
  BOOST_TEST(reinterpret_cast<uintptr_t>(copied.as<float>().data()) % alignof(float) == 0);
}

BOOST_AUTO_TEST_CASE(a_slice_of_the_outer_axis_shares_the_bytes_and_an_inner_one_copies) {
  const auto t = counted({2, 3, 2});
  const auto outer = t.slice(0, 1, 2);
  BOOST_TEST(outer.dims() == (shape{1, 3, 2}), boost::test_tools::per_element());
  BOOST_TEST((outer.bytes().data() == t.bytes().data() + 24));
  const auto inner = t.slice(1, 1, 3);
  BOOST_TEST(values(inner) == (std::vector<float>{2, 3, 4, 5, 8, 9, 10, 11}), boost::test_tools::per_element());
  BOOST_TEST(values(t.slice(2, 1, 2)) == (std::vector<float>{1, 3, 5, 7, 9, 11}), boost::test_tools::per_element());
  const auto single = counted({1, 4, 2}).slice(1, 2, 4);
  BOOST_TEST(values(single) == (std::vector<float>{4, 5, 6, 7}), boost::test_tools::per_element());
  BOOST_TEST(t.slice(1, 3, 3).numel() == 0);
  BOOST_TEST(tensor().slice(0, 0, 0).numel() == 0);
  BOOST_TEST(counted({0, 3}).slice(1, 1, 2).numel() == 0);
  BOOST_CHECK_THROW(t.slice(1, 2, 1), std::out_of_range);
  BOOST_CHECK_THROW(t.slice(1, 0, 4), std::out_of_range);
  BOOST_CHECK_THROW(t.slice(1, -1, 1), std::out_of_range);
  BOOST_CHECK_THROW(t.slice(3, 0, 1), std::out_of_range);
}

BOOST_AUTO_TEST_CASE(slices_joined_again_are_the_tensor) {
  const auto t = counted({2, 5, 3});
  for (size_t axis = 0; axis < 3; ++axis) {
    const std::vector<tensor> parts = {t.slice(axis, 0, 1), t.slice(axis, 1, 1), t.slice(axis, 1, t.dim(axis))};
    const auto joined = concat(parts, axis);
    BOOST_TEST(joined.dims() == t.dims(), boost::test_tools::per_element());
    BOOST_TEST(values(joined) == values(t), boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(tensors_that_differ_beyond_the_axis_are_not_joined) {
  const std::vector<tensor> shapes = {counted({2, 3}), counted({2, 4})}, ranks = {counted({2}), counted({2, 1})},
                            types = {counted({2}), counted({2}).to(dtype::bfloat16)};
  BOOST_TEST(concat(shapes, 1).dim(1) == 7);
  BOOST_CHECK_THROW(concat(shapes, 0), std::invalid_argument);
  BOOST_CHECK_THROW(concat(ranks, 0), std::invalid_argument);
  BOOST_CHECK_THROW(concat(types, 0), std::invalid_argument);
  BOOST_CHECK_THROW(concat(shapes, 2), std::invalid_argument);
  BOOST_CHECK_THROW(concat({}, 0), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_new_shape_has_as_many_elements_and_shares_the_bytes) {
  const auto t = counted({2, 6});
  BOOST_TEST((t.reshaped({3, 4}).bytes().data() == t.bytes().data()));
  BOOST_CHECK_THROW(t.reshaped({3, 5}), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(one_infinity_or_nan_anywhere_is_found_in_each_float_type) {
  for (const auto type : {dtype::float32, dtype::bfloat16, dtype::float16})
    for (const size_t size : {size_t{1}, size_t{256}, size_t{700}})
      for (const size_t at : {size_t{0}, size / 2, size - 1}) {
        std::vector<float> v(size, -3.0f);
        const auto dims = shape{static_cast<int64_t>(size)};
        BOOST_TEST(all_finite(floats(dims, v).to(type)));
        for (const auto bad :
             {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
              std::numeric_limits<float>::quiet_NaN()}) {
          v[at] = bad;
          BOOST_TEST(!all_finite(floats(dims, v).to(type)));
        }
      }
}

BOOST_AUTO_TEST_CASE(types_are_read_in_three_spellings) {
  for (const auto* name : {"bfloat16", "BF16", "torch.bfloat16"}) BOOST_TEST((parse_dtype(name) == dtype::bfloat16));
  BOOST_TEST(!parse_dtype("float64"));
  BOOST_TEST(!parse_dtype(""));
  BOOST_TEST(!is_dtype(0));
  for (uint8_t n = 1; n <= 6; ++n) BOOST_TEST((is_dtype(n) && parse_dtype(to_string(dtype{n})) == dtype{n}));
  BOOST_TEST(!is_dtype(7));
  BOOST_TEST(to_string(shape{2, 17, 64}) == "[2, 17, 64]");
}

BOOST_AUTO_TEST_CASE(a_range_of_blocks_is_two_numbers_of_which_the_first_is_smaller) {
  BOOST_TEST((parse_block_range("3:12") == block_range{3, 12}));
  BOOST_TEST(to_string(block_range{3, 12}) == "3:12");
  for (const auto* text :
       {"", ":", "3", "3:", ":3", "3:3", "4:3", "-1:3", "+1:3", " 1:3", "1:3 ", "1:2:3", "0:4294967296", "a:b"})
    BOOST_TEST(!parse_block_range(text), text);
}
