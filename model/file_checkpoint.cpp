#include "model/file_checkpoint.hpp"

#include <algorithm>
#include <utility>

#include "model/digest.hpp"
#include "model/file_error.hpp"

namespace corolla::model {

namespace {

/// "dir/SmolLM2.Q4_1.gguf" -> "SmolLM2.Q4_1", "dir/bloom-560m/" -> "bloom-560m".
std::string name_of(const std::filesystem::path& path) {
  auto full = std::filesystem::absolute(path).lexically_normal();
  if (full.filename().empty()) full = full.parent_path();
  return full.extension() == ".gguf" ? full.stem().string() : full.filename().string();
}

class file_checkpoint final : public checkpoint {
 public:
  explicit file_checkpoint(checkpoint_parts parts) : parts_(std::move(parts)), name_(name_of(parts_.path)) {
    auto& tensors = parts_.tensors;
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    names_.reserve(tensors.size());
    for (const auto& t : tensors) {
      if (!names_.empty() && names_.back() == t.name)
        fail(t.file->label(), "tensor " + in_quotes(t.name) + " is there twice, once perhaps with a prefix");
      names_.push_back(t.name);
    }
  }

  const std::string& name() const override { return name_; }
  const std::filesystem::path& path() const override { return parts_.path; }
  const nlohmann::json& config() const override { return parts_.config; }
  const nlohmann::json& generation_config() const override { return parts_.generation_config; }
  tokenizer_source tokenizer() const override { return parts_.tokenizer(); }

  const std::vector<std::string>& tensor_names() const override { return names_; }
  bool has(std::string_view name) const override { return find(name) != nullptr; }
  const shape& dims(std::string_view name) const override { return at(name).dims; }
  dtype type(std::string_view name) const override {
    const auto& t = at(name);
    return decoded_type(encoding_of(t));
  }
  tensor load(std::string_view name, dtype as) const override { return model::load(at(name), as); }

  model_digests digests(const std::function<void(uint64_t, uint64_t)>& progress) const override {
    return cached_digests({parts_.config, num_blocks(*this), parts_.tensors}, progress);
  }

 private:
  const stored_tensor* find(std::string_view name) const {
    const auto found = std::lower_bound(names_.begin(), names_.end(), name);
    if (found == names_.end() || *found != name) return nullptr;
    return &parts_.tensors[static_cast<size_t>(found - names_.begin())];
  }
  const stored_tensor& at(std::string_view name) const {
    if (const auto* found = find(name)) return *found;
    fail(parts_.path.string(), "holds no tensor " + in_quotes(name));
  }

  checkpoint_parts parts_;
  std::string name_;
  std::vector<std::string> names_;  // in the order of parts_.tensors
};

}  // namespace

std::shared_ptr<const checkpoint> make_checkpoint(checkpoint_parts parts) {
  return std::make_shared<const file_checkpoint>(std::move(parts));
}

}  // namespace corolla::model
