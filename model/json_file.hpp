// JSON files of a bounded size and depth.
#pragma once

#include <cstdint>
#include <filesystem>

#include <nlohmann/json.hpp>

namespace corolla::model {

/// The object in `path`.  Throws checkpoint_error if the file cannot be read, has more than `max_bytes`, is no valid
/// JSON, is nested too deep or is no object.
nlohmann::json read_json_object(const std::filesystem::path& path, uint64_t max_bytes);

}  // namespace corolla::model
