// A file in the address space, read-only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace corolla::model {

/// What tells one content of a file from another without reading it.
struct file_stamp {
  uint64_t size = 0;
  int64_t modified_ns = 0;
  bool operator==(const file_stamp&) const = default;
};

/// Immutable; safe to use from any thread.
class mapped_file {
 public:
  /// Throws checkpoint_error unless `path` is a regular file that can be read.
  explicit mapped_file(const std::filesystem::path& path);
  ~mapped_file();
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;

  std::span<const std::byte> bytes() const { return {data_, stamp_.size}; }
  /// The path as it was given: what errors name.
  const std::string& label() const { return label_; }
  /// As the file was when it was opened.
  const file_stamp& stamp() const { return stamp_; }
  /// Throws checkpoint_error if the file was changed since it was opened: pages beyond a new end cannot be read.
  void check_unchanged() const;
  /// Takes the pages of `part`, which lies in bytes(), out of resident memory; the next look at them reads them again.
  void give_back(std::span<const std::byte> part) const;

 private:
  file_stamp look() const;

  std::string label_;
  int descriptor_ = -1;
  file_stamp stamp_;
  const std::byte* data_ = nullptr;
};

}  // namespace corolla::model
