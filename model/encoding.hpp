// How a tensor's elements are stored in a file, and the way from there to memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/tensor.hpp"

namespace corolla::model {

/// Plain types, and GGUF's blocks of 32 elements that share a scale.
enum class encoding : uint8_t { f32, bf16, f16, i64, i32, u8, q8_0, q4_0, q4_1 };

/// "F32", "Q4_1", ... as safetensors and GGUF spell them.
std::string_view to_string(encoding e);
std::optional<encoding> parse_encoding(std::string_view name);
/// How safetensors stores elements of a type.
encoding plain_encoding(dtype t);
/// The type of the decoded elements: float32 for the quantised ones.
dtype decoded_type(encoding e);
/// Elements that are stored together: 1 or 32.
size_t block_elements(encoding e);
/// Bytes of such a block.
size_t block_bytes(encoding e);

/// Decodes `count` elements, a multiple of block_elements(e), to `as`; neither array need be aligned.
/// Throws std::invalid_argument where `as` is neither the decoded type nor convertible.
void decode(encoding e, const std::byte* in, dtype as, std::byte* out, size_t count);

}  // namespace corolla::model
