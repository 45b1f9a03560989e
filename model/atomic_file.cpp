#include "model/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace corolla::model {

namespace {

[[noreturn]] void fail_to_write(const std::filesystem::path& path) {
  throw std::runtime_error(path.string() + ": cannot be written: " + std::generic_category().message(errno));
}

/// A name that no other writer in this process has; O_EXCL keeps other processes apart.
std::filesystem::path temporary_name(const std::filesystem::path& path) {
  static std::atomic<unsigned> next{0};
  return path.string() + '.' + std::to_string(::getpid()) + '.' + std::to_string(next++) + ".tmp";
}

}  // namespace

atomic_file::atomic_file(std::filesystem::path path) : path_(std::move(path)) {
  do {
    temporary_ = temporary_name(path_);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) fail_to_write(path_);
}

atomic_file::~atomic_file() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void atomic_file::write(std::span<const std::byte> data) {
  while (!data.empty()) {
    const auto n = ::write(descriptor_, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail_to_write(path_);
    data = data.subspan(static_cast<size_t>(n));
  }
}

void atomic_file::write(std::string_view text) {
  write(std::as_bytes(std::span(text)));
}

void atomic_file::commit() {
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_to_write(path_);
  ::close(std::exchange(descriptor_, -1));
}

}  // namespace corolla::model
