#include "model/gguf_value.hpp"

#include <charconv>
#include <cmath>
#include <limits>

#include "model/file_error.hpp"

namespace corolla::model {

namespace {

using nlohmann::json;

constexpr uint64_t max_text_bytes = 16u << 20;
/// Elements of one array: decoded, each takes 16 bytes and more.
constexpr uint64_t max_array = 1u << 24;
constexpr int max_depth = 4;

gguf_type read_type(byte_reader& in, const std::string& what, const std::string& label) {
  const auto number = in.number<uint32_t>(what);
  if (number > static_cast<uint32_t>(gguf_type::float64))
    fail(label, what + " has the unknown type " + std::to_string(number));
  return static_cast<gguf_type>(number);
}

/// Bytes of a value of fixed size; 0 for strings and arrays.
uint64_t fixed_size(gguf_type type) {
  switch (type) {
    case gguf_type::uint8:
    case gguf_type::int8:
    case gguf_type::boolean:
      return 1;
    case gguf_type::uint16:
    case gguf_type::int16:
      return 2;
    case gguf_type::uint32:
    case gguf_type::int32:
    case gguf_type::float32:
      return 4;
    case gguf_type::uint64:
    case gguf_type::int64:
    case gguf_type::float64:
      return 8;
    case gguf_type::string:
    case gguf_type::array:
      break;
  }
  return 0;
}

void skip(byte_reader& in, gguf_type type, int depth, const std::string& what, const std::string& label) {
  if (const auto size = fixed_size(type); size > 0) {
    in.take(size, what);
  } else if (type == gguf_type::string) {
    in.text(max_text_bytes, what);
  } else {
    if (depth == max_depth) fail(label, what + " has arrays nested deeper than " + std::to_string(max_depth));
    const auto element = read_type(in, what, label);
    const auto count = in.number<uint64_t>(what);
    if (count > max_array)
      fail(
          label,
          what + " claims " + std::to_string(count) + " elements, at most " + std::to_string(max_array) + " are read");
    if (const auto each = fixed_size(element); each > 0)
      in.take(count * each, what);
    else
      for (uint64_t i = 0; i < count; ++i) skip(in, element, depth + 1, what, label);
  }
}

json shortest(float value) {
  if (!std::isfinite(value)) return static_cast<double>(value);
  char text[32];
  const auto written = std::to_chars(std::begin(text), std::end(text), value);
  double result = 0;
  std::from_chars(text, written.ptr, result);
  return result;
}

json decode(byte_reader& in, gguf_type type) {
  constexpr auto what = "a value";
  switch (type) {
    case gguf_type::uint8:
      return in.number<uint8_t>(what);
    case gguf_type::int8:
      return in.number<int8_t>(what);
    case gguf_type::uint16:
      return in.number<uint16_t>(what);
    case gguf_type::int16:
      return in.number<int16_t>(what);
    case gguf_type::uint32:
      return in.number<uint32_t>(what);
    case gguf_type::int32:
      return in.number<int32_t>(what);
    case gguf_type::uint64:
      return in.number<uint64_t>(what);
    case gguf_type::int64:
      return in.number<int64_t>(what);
    case gguf_type::float32:
      return shortest(in.number<float>(what));
    case gguf_type::float64:
      return in.number<double>(what);
    case gguf_type::boolean:
      return in.number<uint8_t>(what) != 0;
    case gguf_type::string:
      return std::string(in.text(max_text_bytes, what));
    case gguf_type::array:
      break;
  }
  const auto element = static_cast<gguf_type>(in.number<uint32_t>(what));
  const auto count = in.number<uint64_t>(what);
  auto result = json::array();
  for (uint64_t i = 0; i < count; ++i) result.push_back(decode(in, element));
  return result;
}

}  // namespace

gguf_value read_gguf_value(byte_reader& in, const std::string& what, const std::string& label) {
  const auto type = read_type(in, what, label);
  // The walk needs a reader of its own to know where the value ends.
  auto walk = in;
  skip(walk, type, /*depth=*/0, what, label);
  return {type, in.take(walk.position() - in.position(), what)};
}

json decode(const gguf_value& value) {
  static const std::string label = "a value that was read before";
  byte_reader in(value.bytes, label);
  return decode(in, value.type);
}

}  // namespace corolla::model
