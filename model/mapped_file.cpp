#include "model/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "model/file_error.hpp"

namespace corolla::model {

namespace {

std::string last_error() {
  return std::generic_category().message(errno);
}

}  // namespace

mapped_file::mapped_file(const std::filesystem::path& path) : label_(path.string()) {
  // Not blocking: opening a pipe would wait for its writer.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail(label_, "cannot be opened: " + last_error());
  try {
    stamp_ = look();
    if (stamp_.size > 0) {
      auto* data = ::mmap(nullptr, stamp_.size, PROT_READ, MAP_PRIVATE, descriptor_, 0);
      if (data == MAP_FAILED) fail(label_, "cannot be mapped: " + last_error());
      data_ = static_cast<const std::byte*>(data);
    }
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

mapped_file::~mapped_file() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), stamp_.size);
  ::close(descriptor_);
}

file_stamp mapped_file::look() const {
  struct stat status = {};
  if (::fstat(descriptor_, &status) != 0) fail(label_, "cannot be examined: " + last_error());
  if (!S_ISREG(status.st_mode)) fail(label_, "is no regular file");
  return {
      static_cast<uint64_t>(status.st_size),
      int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + int64_t{status.st_mtim.tv_nsec}};
}

void mapped_file::check_unchanged() const {
  if (look() != stamp_) fail(label_, "was changed while it was in use; open the model again");
}

void mapped_file::give_back(std::span<const std::byte> part) const {
  if (part.empty()) return;
  // A fault brings in the pages around it that are cached, up to this aligned window: they go too.
  constexpr uintptr_t window = 64u << 10;
  const auto first = reinterpret_cast<uintptr_t>(data_), last = first + stamp_.size;
  const auto begin = reinterpret_cast<uintptr_t>(part.data()), end = begin + part.size();
  const auto from = std::max(first, begin / window * window);
  const auto to = std::min(last, (end + window - 1) / window * window);
  // A hint: where the system refuses it, memory alone is lost.
  ::madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
}

}  // namespace corolla::model
