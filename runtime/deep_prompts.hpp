// Deep prompts of a model's blocks, from a file, and whether they fit.
#pragma once

#include <filesystem>

#include "model/ends.hpp"
#include "model/tensor.hpp"

namespace corolla::runtime {

/// Reads `deep_prompts`, [blocks, P, C] of a float type, of a safetensors file.  Throws client_error, or what reading a
/// safetensors file throws, naming the file.
model::tensor read_deep_prompts(const std::filesystem::path& path);

/// Throws client_error with both shapes unless there are none (an empty tensor) or they are those of the model's
/// blocks.
void check_deep_prompts(const model::tensor& prompts, const model::ends& ends);

}  // namespace corolla::runtime
