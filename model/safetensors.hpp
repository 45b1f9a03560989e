// The safetensors container: eight bytes of header length, a JSON header, data.  Reader and writer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/mapped_file.hpp"
#include "model/stored_tensor.hpp"
#include "model/tensor.hpp"

namespace corolla::model {

/// One tensor of a header.  What the header says was checked: the bytes lie in the file, no two tensors share one, none
/// is unused, and there are as many as type and shape take.
struct safetensors_entry {
  std::string name;
  std::string type;  ///< as written: "BF16"
  shape dims;
  uint64_t begin = 0;  ///< bytes [begin, end) of the file
  uint64_t end = 0;
};

/// The entries of a file's header, sorted by name.  `label` names the file in errors.  Throws checkpoint_error.
std::vector<safetensors_entry> parse_safetensors(std::span<const std::byte> file, const std::string& label);

/// Immutable; safe to use from any thread.
class safetensors_file {
 public:
  /// Reads and checks the header.  Throws checkpoint_error.
  explicit safetensors_file(const std::filesystem::path& path);

  /// Sorted by name.
  const std::vector<stored_tensor>& tensors() const { return tensors_; }
  /// Null if there is no such tensor.
  const stored_tensor* find(std::string_view name) const;
  /// Throws checkpoint_error.
  tensor load(std::string_view name, dtype as) const;
  /// In the type it is stored in.
  tensor load(std::string_view name) const;
  const std::shared_ptr<const mapped_file>& file() const { return file_; }

 private:
  const stored_tensor& at(std::string_view name) const;

  std::shared_ptr<const mapped_file> file_;
  std::vector<stored_tensor> tensors_;
};

/// Writes the tensors in the order of their names; the file appears whole or not at all.  Throws std::runtime_error.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, tensor>& tensors);

}  // namespace corolla::model
