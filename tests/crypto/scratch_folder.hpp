// An empty folder for one test, gone after it.
#pragma once

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace corolla::crypto {

class scratch_folder {
 public:
  scratch_folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "corolla-test.XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
    path_ = pattern;
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

  /// Writes a file with exactly these permissions.
  std::filesystem::path with(std::string_view name, std::string_view content, mode_t mode = 0600) const {
    auto file = path_ / name;
    std::ofstream{file, std::ios::binary} << content;
    ::chmod(file.c_str(), mode);
    return file;
  }

  /// How many names it holds.
  size_t size() const {
    auto entries = std::filesystem::directory_iterator{path_};
    return static_cast<size_t>(std::distance(begin(entries), end(entries)));
  }

 private:
  std::filesystem::path path_;
};

inline mode_t permissions(const std::filesystem::path& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

}  // namespace corolla::crypto
