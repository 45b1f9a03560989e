// Hugging Face folders: config.json with model.safetensors, or with shards and their index.
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "model/file_checkpoint.hpp"
#include "model/file_error.hpp"
#include "model/json_file.hpp"
#include "model/safetensors.hpp"

namespace corolla::model {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t max_config_bytes = 4u << 20;
constexpr uint64_t max_index_bytes = 64u << 20;
constexpr uint64_t max_tokenizer_bytes = 128u << 20;

/// The object in a file that need not be there; null without it.
json read_optional(const fs::path& path, uint64_t max_bytes) {
  return fs::exists(path) ? read_json_object(path, max_bytes) : json(nullptr);
}

/// Base models are published without the prefix that the same weights have within a larger class.
std::string_view without_prefix(std::string_view name) {
  for (const std::string_view prefix : {"transformer.", "model."})
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  return name;
}

void add(std::vector<stored_tensor>& tensors, const stored_tensor& t) {
  tensors.push_back(t);
  tensors.back().name = without_prefix(t.name);
}

std::vector<stored_tensor> read_single(const fs::path& path) {
  std::vector<stored_tensor> tensors;
  const safetensors_file file(path);
  for (const auto& t : file.tensors()) add(tensors, t);
  return tensors;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

/// The index says which shard holds which tensor; what else a shard holds is left alone.
std::vector<stored_tensor> read_shards(const fs::path& folder, const fs::path& index_path) {
  const auto label = index_path.string();
  const auto index = read_json_object(index_path, max_index_bytes);
  const auto weight_map = index.find("weight_map");
  if (weight_map == index.end() || !weight_map->is_object()) fail(label, "has no object weight_map");
  std::map<std::string, safetensors_file> shards;
  std::vector<stored_tensor> tensors;
  for (const auto& item : weight_map->items()) {
    if (!item.value().is_string() || !is_plain_name(item.value().get_ref<const std::string&>()))
      fail(label, "weight_map names no plain file for tensor " + in_quotes(item.key()));
    const auto& name = item.value().get_ref<const std::string&>();
    auto shard = shards.find(name);
    if (shard == shards.end()) {
      if (!fs::exists(folder / name))
        fail(label, "names the shard " + in_quotes(name) + ", which is not there; fetch it too");
      shard = shards.emplace(name, folder / name).first;
    }
    const auto* found = shard->second.find(item.key());
    if (!found)
      fail((folder / name).string(), "holds no tensor " + in_quotes(item.key()) + ", which the index promises");
    add(tensors, *found);
  }
  return tensors;
}

std::vector<stored_tensor> read_tensors(const fs::path& folder) {
  const auto single = folder / "model.safetensors", index = folder / "model.safetensors.index.json";
  if (fs::exists(single)) return read_single(single);
  if (fs::exists(index)) return read_shards(folder, index);
  const auto pickled = fs::exists(folder / "pytorch_model.bin") || fs::exists(folder / "pytorch_model.bin.index.json");
  fail(
      folder.string(), std::string("holds neither model.safetensors nor model.safetensors.index.json") +
                           (pickled ? "; pytorch_model.bin is not read: convert it to safetensors"
                                    : "; fetch the weights as safetensors"));
}

tokenizer_source read_tokenizer(const fs::path& folder) {
  tokenizer_source source;
  source.content = read_optional(folder / "tokenizer.json", max_tokenizer_bytes);
  if (!source.content.is_null()) source.what = tokenizer_source::kind::tokenizer_json;
  source.config = read_optional(folder / "tokenizer_config.json", max_tokenizer_bytes);
  return source;
}

}  // namespace

std::shared_ptr<const checkpoint> open_folder(const fs::path& path) {
  const auto config = path / "config.json";
  if (!fs::exists(config)) fail(path.string(), "holds no config.json; name a Hugging Face folder or a GGUF file");
  checkpoint_parts parts;
  parts.path = path;
  parts.config = read_json_object(config, max_config_bytes);
  parts.generation_config = read_optional(path / "generation_config.json", max_config_bytes);
  parts.tensors = read_tensors(path);
  parts.tokenizer = [path] { return read_tokenizer(path); };
  return make_checkpoint(std::move(parts));
}

}  // namespace corolla::model
