// The JSON header of a safetensors file, read without building a document: what is not expected is refused on sight.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/safetensors.hpp"

namespace corolla::model {

/// Tensors as the header names them, in its order; offsets count from the end of the header and are not checked yet.
/// Throws checkpoint_error for text that is no such header.
std::vector<safetensors_entry> parse_safetensors_header(std::string_view text, const std::string& label);

}  // namespace corolla::model
