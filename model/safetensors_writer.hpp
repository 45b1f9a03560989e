// Writes a safetensors file as the data comes: a model of any size passes through little memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "model/atomic_file.hpp"
#include "model/tensor.hpp"

namespace corolla::model {

struct safetensors_item {
  std::string name;
  dtype type;
  shape dims;
};

class safetensors_writer {
 public:
  /// Writes the header; the data of `items` follows in their order.  Throws std::runtime_error.
  safetensors_writer(const std::filesystem::path& path, const std::vector<safetensors_item>& items);
  /// The next bytes.  Throws std::runtime_error, and std::logic_error for more bytes than the items have.
  void write(std::span<const std::byte> data);
  /// Puts the file in its place.  Throws as above.
  void commit();

 private:
  atomic_file file_;
  uint64_t missing_ = 0;
};

}  // namespace corolla::model
