#include "model/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "model/file_checkpoint.hpp"
#include "model/file_error.hpp"
#include "model/mapped_file.hpp"

namespace corolla::model {

namespace {

namespace fs = std::filesystem;

std::shared_ptr<const checkpoint> open_file(const fs::path& path) {
  const mapped_file file(path);
  if (file.bytes().empty()) fail(file.label(), "is empty");
  constexpr std::array<char, 4> magic = {'G', 'G', 'U', 'F'};
  if (file.bytes().size() < magic.size() || std::memcmp(file.bytes().data(), magic.data(), magic.size()) != 0)
    fail(
        file.label(), path.extension() == ".safetensors"
                          ? "is one file of a model; name the folder that holds it and config.json"
                          : "is no GGUF file: it does not begin with 'GGUF'");
  return open_gguf(path);
}

std::shared_ptr<const checkpoint> open_directory(const fs::path& path) {
  if (fs::exists(path / "model.safetensors") || fs::exists(path / "model.safetensors.index.json"))
    return open_folder(path);
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.path().extension() == ".gguf") found.push_back(entry.path());
  if (found.size() == 1) return open_file(found.front());
  if (found.size() > 1)
    fail(path.string(), "holds " + std::to_string(found.size()) + " GGUF files; name the one to open");
  return open_folder(path);
}

}  // namespace

std::shared_ptr<const checkpoint> checkpoint::open(const fs::path& path) {
  try {
    if (!fs::exists(path))
      fail(
          path.string(),
          "does not exist; name a Hugging Face folder (config.json and model.safetensors) or a GGUF file");
    return fs::is_directory(path) ? open_directory(path) : open_file(path);
  } catch (const fs::filesystem_error& e) {
    fail(path.string(), "cannot be looked at: " + e.code().message());
  }
}

std::string to_hex(const digest& d, size_t chars) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result;
  for (size_t i = 0; i < std::min(chars, 2 * d.size()); ++i)
    result += digits[i % 2 == 0 ? d[i / 2] >> 4 : d[i / 2] & 15];
  return result;
}

fs::path config_file(const checkpoint& c) {
  return fs::is_directory(c.path()) ? c.path() / "config.json" : c.path();
}

uint32_t num_blocks(const checkpoint& c) {
  const auto label = config_file(c).string();
  for (const auto* key : {"num_hidden_layers", "n_layer"}) {
    const auto found = c.config().find(key);
    if (found == c.config().end()) continue;
    // Each block has tensors: a larger number would only make others allocate.
    const auto most = c.tensor_names().size();
    if (!found->is_number_unsigned() || found->get<uint64_t>() == 0 || found->get<uint64_t>() > most)
      fail(label, std::string(key) + " is no number from 1 to " + std::to_string(most) + ", the number of tensors");
    return found->get<uint32_t>();
  }
  fail(label, "has neither num_hidden_layers nor n_layer");
}

}  // namespace corolla::model
