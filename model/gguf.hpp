// The GGUF container, versions 2 and 3, little-endian: metadata, tensor list, data.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/encoding.hpp"
#include "model/tensor.hpp"

namespace corolla::model {

/// Types of metadata values, as numbered in the file.
enum class gguf_type : uint32_t {
  uint8,
  int8,
  uint16,
  int16,
  uint32,
  int32,
  float32,
  boolean,
  string,
  array,
  uint64,
  int64,
  float64
};

/// A metadata value where it lies: walked through and found whole, but not decoded (a vocabulary is large).
struct gguf_value {
  gguf_type type = gguf_type::uint8;
  std::span<const std::byte> bytes;
};

struct gguf_tensor {
  std::string name;
  encoding how = encoding::f32;
  shape dims;  ///< row-major: the reverse of the file's
  std::span<const std::byte> data;
};

struct gguf_contents {
  std::map<std::string, gguf_value, std::less<>> metadata;
  std::vector<gguf_tensor> tensors;  ///< in the file's order
};

/// Everything but the data; spans lie in `file`.  Counts, lengths and offsets were checked against the file before
/// anything was allocated for them; tensors do not overlap.  `label` names the file in errors.  Throws
/// checkpoint_error.
gguf_contents parse_gguf(std::span<const std::byte> file, const std::string& label);

/// The value as JSON.  A float32 becomes the shortest decimal number that rounds to it: 1e-05, not 9.99999974e-06.
nlohmann::json decode(const gguf_value& value);

}  // namespace corolla::model
