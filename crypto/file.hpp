// Small files, read whole and checked first.  Not for other folders.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

namespace corolla::crypto {

class file_descriptor {
 public:
  file_descriptor() = default;
  explicit file_descriptor(int descriptor) : descriptor_{descriptor} {}
  file_descriptor(file_descriptor&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}
  file_descriptor& operator=(file_descriptor&& other) noexcept {
    reset(std::exchange(other.descriptor_, -1));
    return *this;
  }
  ~file_descriptor() { reset(-1); }

  void reset(int descriptor);
  int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

/// Who may read or write a file for us to trust it with, or take from it, a secret.
enum class access { anyone, owner_only };

/// The bytes of `file`, or nullopt where no such file exists.  Throws std::runtime_error if it is no regular file,
/// cannot be read, is larger than `max_size`, or is open to more than `allowed`.
std::optional<std::string> read_small_file(const std::filesystem::path& file, size_t max_size, access allowed);

/// Makes a new name in `folder` survive a power cut, on file systems that can promise it.
void sync_folder(const std::filesystem::path& folder);

/// Throws std::runtime_error: "FILE WHAT: the system's words for `error`".
[[noreturn]] void fail(const std::filesystem::path& file, const char* what, int error);

}  // namespace corolla::crypto
