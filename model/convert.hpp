// Conversion between the float types, for arrays of any alignment.
#pragma once

#include <cstddef>

#include "model/tensor.hpp"

namespace corolla::model {

/// True for float32, bfloat16 and float16.
constexpr bool is_float(dtype t) {
  return t == dtype::float32 || t == dtype::bfloat16 || t == dtype::float16;
}

/// Converts `count` elements, rounding to nearest even; a NaN stays a NaN, what is too large becomes an infinity.
/// Neither array need be aligned; they do not overlap.  The same type copies.  Throws std::invalid_argument for two
/// different types of which one is no float type.
void convert(dtype from, const std::byte* in, dtype to, std::byte* out, size_t count);

}  // namespace corolla::model
