// A file that appears whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace corolla::model {

/// Written beside its final place and moved there by `commit`; removed where that does not happen.
class atomic_file {
 public:
  /// Throws std::runtime_error.
  explicit atomic_file(std::filesystem::path path);
  ~atomic_file();
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;

  /// Throws std::runtime_error.
  void write(std::span<const std::byte> data);
  void write(std::string_view text);
  /// Throws std::runtime_error.
  void commit();
  const std::filesystem::path& temporary() const { return temporary_; }

 private:
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

}  // namespace corolla::model
