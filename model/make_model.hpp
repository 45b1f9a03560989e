// Seeded random models as Hugging Face folders, in the shape of real ones: for tests, demonstrations and measurements
// where no real weights are at hand.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

namespace corolla::model {

/// The shapes that can be made: "bloom-560m", "tinyllama-1.1b".
std::span<const std::string_view> model_shapes();

/// Writes config.json, generation_config.json, tokenizer.json and model.safetensors into `folder`, which is made and
/// must not hold anything.  `small`: as many blocks, but a hidden size of 64 and 512 tokens.  The same arguments give
/// the same bytes.  Memory does not grow with the model.  `progress` may be empty. Throws std::invalid_argument for an
/// unknown shape and std::runtime_error for a folder that cannot be written.
void make_model(
    std::string_view shape_name, bool small, const std::filesystem::path& folder, uint64_t seed,
    const std::function<void(uint64_t done_bytes, uint64_t all_bytes)>& progress = {});

}  // namespace corolla::model
