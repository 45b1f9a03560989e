// The reference models, and copies of them in other containers.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "model/atomic_file.hpp"
#include "model/checkpoint.hpp"
#include "model/safetensors.hpp"

namespace corolla::tests {

inline std::filesystem::path golden_folder(const std::string& name) {
  return std::filesystem::path(COROLLA_SOURCE_DIR) / "tests/golden/tiny" / name;
}

inline std::map<std::string, model::tensor> all_tensors(const std::filesystem::path& folder) {
  const model::safetensors_file file(folder / "model.safetensors");
  std::map<std::string, model::tensor> tensors;
  for (const auto& t : file.tensors()) tensors.emplace(t.name, file.load(t.name));
  return tensors;
}

inline void copy_config(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::copy_file(from / "config.json", to / "config.json");
}

/// Three shards with an index, the tensors dealt out in turn.
inline void write_shards(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::map<std::string, std::map<std::string, model::tensor>> shards;
  nlohmann::json weight_map;
  size_t next = 0;
  for (const auto& [name, t] : all_tensors(from)) {
    const auto shard = "model-0000" + std::to_string(next++ % 3 + 1) + "-of-00003.safetensors";
    shards[shard].emplace(name, t);
    weight_map[name] = shard;
  }
  for (const auto& [name, tensors] : shards) model::write_safetensors(to / name, tensors);
  model::atomic_file index(to / "model.safetensors.index.json");
  index.write(nlohmann::json({{"metadata", {{"total_size", 0}}}, {"weight_map", weight_map}}).dump());
  index.commit();
  copy_config(from, to);
}

/// One file with other names.
inline void write_renamed(
    const std::filesystem::path& from, const std::filesystem::path& to,
    const std::function<std::string(const std::string&)>& rename) {
  std::map<std::string, model::tensor> tensors;
  for (const auto& [name, t] : all_tensors(from)) tensors.emplace(rename(name), t);
  model::write_safetensors(to / "model.safetensors", tensors);
  copy_config(from, to);
}

}  // namespace corolla::tests
