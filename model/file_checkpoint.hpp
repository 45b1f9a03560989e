// The checkpoint that any container becomes once its headers are read: a config and a list of stored tensors.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/checkpoint.hpp"
#include "model/stored_tensor.hpp"

namespace corolla::model {

struct checkpoint_parts {
  std::filesystem::path path;
  nlohmann::json config;
  nlohmann::json generation_config;
  /// In Hugging Face's words, in any order.
  std::vector<stored_tensor> tensors;
  /// Called when somebody asks: a server never does, and a vocabulary is large.
  std::function<tokenizer_source()> tokenizer;
};

/// The file that a checkpoint's `config` stands in: a folder's config.json, or the GGUF file.
std::filesystem::path config_file(const checkpoint& c);

/// Throws checkpoint_error if two tensors have one name.
std::shared_ptr<const checkpoint> make_checkpoint(checkpoint_parts parts);

/// Opens a Hugging Face folder.  Throws checkpoint_error.
std::shared_ptr<const checkpoint> open_folder(const std::filesystem::path& path);
/// Opens a GGUF file.  Throws checkpoint_error.
std::shared_ptr<const checkpoint> open_gguf(const std::filesystem::path& path);

}  // namespace corolla::model
