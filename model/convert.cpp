#include "model/convert.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace corolla::model {

namespace {

// No branches below: the compiler turns each loop over a chunk into vector instructions.

/// `a` where `condition`, else `b`.  A conditional expression would become a branch around floating-point operations,
/// which keeps the loop from being vectorised.
uint32_t select(bool condition, uint32_t a, uint32_t b) {
  const uint32_t mask = 0u - uint32_t{condition};
  return (a & mask) | (b & ~mask);
}

float from_bfloat16(uint16_t h) {
  return std::bit_cast<float>(uint32_t{h} << 16);
}

uint16_t to_bfloat16(float f) {
  const auto w = std::bit_cast<uint32_t>(f);
  const auto rounded = (w + 0x7fff + ((w >> 16) & 1)) >> 16;
  // Rounding a NaN could carry into the exponent: keep its upper half and make it quiet.
  const auto nan = (w >> 16) | 0x40;
  return static_cast<uint16_t>(select((w & 0x7fffffff) > 0x7f800000, nan, rounded));
}

float from_float16(uint16_t h) {
  const uint32_t sign = (uint32_t{h} & 0x8000) << 16;
  const uint32_t magnitude = h & 0x7fffu;
  // Normal numbers, infinities and NaNs: move exponent and fraction up; the product corrects the bias, and the
  // exponent of all ones stays all ones because it is first moved to float32's largest.
  const auto normal = std::bit_cast<uint32_t>(std::bit_cast<float>((magnitude << 13) + (0xe0u << 23)) * 0x1p-112f);
  // Subnormal numbers: the fraction counts units of 2^-24, the last place of numbers in [0.5, 1).
  const auto subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude | (126u << 23)) - 0.5f);
  return std::bit_cast<float>(sign | select(magnitude < 0x400, subnormal, normal));
}

uint16_t to_float16(float f) {
  const auto w = std::bit_cast<uint32_t>(f);
  const uint32_t magnitude = w & 0x7fffffff;
  // Adding a power of two that is 2^13 times the last place of the result makes the processor round to nearest even;
  // the scaling before it turns what is too large into an infinity.
  const float scaled = std::bit_cast<float>(magnitude) * 0x1p+112f * 0x1p-110f;
  const uint32_t exponent = magnitude & 0x7f800000;
  const uint32_t bias = select(exponent < (0x71u << 23), 0x71u << 23, exponent);
  const auto rounded = std::bit_cast<uint32_t>(std::bit_cast<float>(bias + (0xfu << 23)) + scaled);
  const uint32_t number = ((rounded >> 13) & 0x7c00) + (rounded & 0x0fff);
  return static_cast<uint16_t>(((w >> 16) & 0x8000) | select(magnitude > 0x7f800000, 0x7e00, number));
}

uint16_t bfloat16_to_float16(uint16_t h) {
  return to_float16(from_bfloat16(h));
}
uint16_t float16_to_bfloat16(uint16_t h) {
  return to_bfloat16(from_float16(h));
}

/// Chunks of a fixed size pass through aligned arrays on the stack: any alignment will do, and the loop vectorises.
template <class In, class Out, Out (*Function)(In)>
void apply(const std::byte* in, std::byte* out, size_t count) {
  constexpr size_t chunk = 256;
  In a[chunk] = {};
  Out b[chunk];
  while (count > 0) {
    const auto n = count < chunk ? count : chunk;
    std::memcpy(a, in, n * sizeof(In));
    for (size_t i = 0; i < chunk; ++i) b[i] = Function(a[i]);
    std::memcpy(out, b, n * sizeof(Out));
    in += n * sizeof(In), out += n * sizeof(Out), count -= n;
  }
}

}  // namespace

void convert(dtype from, const std::byte* in, dtype to, std::byte* out, size_t count) {
  if (from == to) {
    if (count > 0) std::memcpy(out, in, count * size_of(from));
    return;
  }
  if (!is_float(from) || !is_float(to))
    throw std::invalid_argument(
        "no conversion from " + std::string(to_string(from)) + " to " + std::string(to_string(to)));
  if (from == dtype::bfloat16 && to == dtype::float32) return apply<uint16_t, float, from_bfloat16>(in, out, count);
  if (from == dtype::float16 && to == dtype::float32) return apply<uint16_t, float, from_float16>(in, out, count);
  if (from == dtype::float32 && to == dtype::bfloat16) return apply<float, uint16_t, to_bfloat16>(in, out, count);
  if (from == dtype::float32 && to == dtype::float16) return apply<float, uint16_t, to_float16>(in, out, count);
  if (from == dtype::bfloat16) return apply<uint16_t, uint16_t, bfloat16_to_float16>(in, out, count);
  return apply<uint16_t, uint16_t, float16_to_bfloat16>(in, out, count);
}

}  // namespace corolla::model
