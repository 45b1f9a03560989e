// A tensor where it lies in a file, and its way into memory.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "model/encoding.hpp"
#include "model/mapped_file.hpp"
#include "model/tensor.hpp"

namespace corolla::model {

struct stored_tensor {
  std::string name;
  /// The element type as the file spells it: "BF16", "Q4_1".
  std::string type;
  /// The same, or nullopt where it is one that cannot be loaded.
  std::optional<encoding> how;
  shape dims;
  /// The bytes, checked against type and shape; they lie in `file`.
  std::span<const std::byte> data;
  std::shared_ptr<const mapped_file> file;
  /// Not 0: the rows of each of so many heads come in the order of llama.cpp's converter, which puts element i of a
  /// rotated pair beside element i + D/2.
  int64_t permuted_heads = 0;
};

/// How the tensor is encoded.  Throws checkpoint_error for a type that cannot be loaded.
encoding encoding_of(const stored_tensor& source);

/// Decoded, converted to `as` and in Hugging Face's order of rows.  Works in pieces whose pages it gives back.
/// Throws checkpoint_error.
tensor load(const stored_tensor& source, dtype as);

}  // namespace corolla::model
