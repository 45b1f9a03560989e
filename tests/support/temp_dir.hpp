// A folder for one test, removed with everything in it.
#pragma once

#include <filesystem>
#include <string_view>

namespace corolla::tests {

class temp_dir {
 public:
  /// Throws std::runtime_error where none can be made.
  temp_dir();
  ~temp_dir();
  temp_dir(const temp_dir&) = delete;
  temp_dir& operator=(const temp_dir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  /// Writes a file of that name and gives its path.
  std::filesystem::path write(std::string_view name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

}  // namespace corolla::tests
