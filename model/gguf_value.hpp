// GGUF's typed metadata values.
#pragma once

#include <string>

#include "model/byte_reader.hpp"
#include "model/gguf.hpp"

namespace corolla::model {

/// Walks over a value (a type number and what follows) and says where it lies.  Throws checkpoint_error.
gguf_value read_gguf_value(byte_reader& in, const std::string& what, const std::string& label);

}  // namespace corolla::model
