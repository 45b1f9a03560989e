#include "tests/support/temp_dir.hpp"

#include <fstream>
#include <stdexcept>
#include <string>

#include <stdlib.h>

namespace corolla::tests {

temp_dir::temp_dir() {
  auto name = (std::filesystem::temp_directory_path() / "corolla-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder can be made for a test: " + name);
  path_ = name;
}

temp_dir::~temp_dir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path temp_dir::write(std::string_view name, std::string_view content) const {
  const auto file = path_ / name;
  std::ofstream out{file, std::ios::binary};
  if (!(out << content << std::flush)) throw std::runtime_error("cannot write " + file.string());
  return file;
}

}  // namespace corolla::tests
