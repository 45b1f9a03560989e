#include "model/encoding.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <stdexcept>

#include "model/convert.hpp"

namespace corolla::model {

namespace {

constexpr size_t quantised = 32;

struct traits {
  std::string_view name;
  dtype decoded;
  size_t elements, bytes;
};
/// In the order of `encoding`.
constexpr traits table[] = {
    {"F32", dtype::float32, 1, 4},
    {"BF16", dtype::bfloat16, 1, 2},
    {"F16", dtype::float16, 1, 2},
    {"I64", dtype::int64, 1, 8},
    {"I32", dtype::int32, 1, 4},
    {"U8", dtype::uint8, 1, 1},
    {"Q8_0", dtype::float32, quantised, 2 + quantised},
    {"Q4_0", dtype::float32, quantised, 2 + quantised / 2},
    {"Q4_1", dtype::float32, quantised, 4 + quantised / 2},
};

const traits& of(encoding e) {
  return table[static_cast<size_t>(e)];
}

float read_half(const std::byte* in) {
  float value = 0;
  convert(dtype::float16, in, dtype::float32, reinterpret_cast<std::byte*>(&value), 1);
  return value;
}

/// {half scale, 32 signed bytes}: scale * q.
void decode_q8_0(const std::byte* in, float* out) {
  const auto scale = read_half(in);
  int8_t q[quantised];
  std::memcpy(q, in + 2, quantised);
  for (size_t i = 0; i < quantised; ++i) out[i] = scale * static_cast<float>(q[i]);
}

/// 16 bytes hold 32 elements of four bits: the low halves are the first 16, the high halves the last.
void unpack(const std::byte* in, float* out) {
  uint8_t q[quantised / 2];
  std::memcpy(q, in, sizeof(q));
  for (size_t i = 0; i < quantised / 2; ++i) {
    out[i] = static_cast<float>(q[i] & 15);
    out[i + quantised / 2] = static_cast<float>(q[i] >> 4);
  }
}

/// {half scale, packed}: scale * (q - 8).
void decode_q4_0(const std::byte* in, float* out) {
  const auto scale = read_half(in);
  unpack(in + 2, out);
  for (size_t i = 0; i < quantised; ++i) out[i] = scale * (out[i] - 8);
}

/// {half scale, half minimum, packed}: scale * q + minimum.
void decode_q4_1(const std::byte* in, float* out) {
  const auto scale = read_half(in), minimum = read_half(in + 2);
  unpack(in + 4, out);
  for (size_t i = 0; i < quantised; ++i) out[i] = scale * out[i] + minimum;
}

}  // namespace

std::string_view to_string(encoding e) {
  return of(e).name;
}

std::optional<encoding> parse_encoding(std::string_view name) {
  const auto found = std::find_if(std::begin(table), std::end(table), [=](const auto& t) { return t.name == name; });
  if (found == std::end(table)) return std::nullopt;
  return static_cast<encoding>(found - std::begin(table));
}

encoding plain_encoding(dtype t) {
  const auto found = std::find_if(
      std::begin(table), std::end(table), [=](const auto& e) { return e.elements == 1 && e.decoded == t; });
  if (found == std::end(table)) throw std::invalid_argument("no such element type");
  return static_cast<encoding>(found - std::begin(table));
}

dtype decoded_type(encoding e) {
  return of(e).decoded;
}
size_t block_elements(encoding e) {
  return of(e).elements;
}
size_t block_bytes(encoding e) {
  return of(e).bytes;
}

void decode(encoding e, const std::byte* in, dtype as, std::byte* out, size_t count) {
  if (of(e).elements == 1) return convert(of(e).decoded, in, as, out, count);
  const auto decode_block = e == encoding::q8_0 ? decode_q8_0 : e == encoding::q4_0 ? decode_q4_0 : decode_q4_1;
  constexpr size_t blocks_at_once = 8;
  float values[blocks_at_once * quantised];
  for (auto blocks = count / quantised; blocks > 0;) {
    const auto n = std::min(blocks, blocks_at_once);
    for (size_t i = 0; i < n; ++i) decode_block(in + i * of(e).bytes, values + i * quantised);
    convert(dtype::float32, reinterpret_cast<const std::byte*>(values), as, out, n * quantised);
    in += n * of(e).bytes, out += n * quantised * size_of(as), blocks -= n;
  }
}

}  // namespace corolla::model
