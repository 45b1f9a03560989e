#include "crypto/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace corolla::crypto {

void file_descriptor::reset(int descriptor) {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = descriptor;
}

std::optional<std::string> read_small_file(const std::filesystem::path& file, size_t max_size, access allowed) {
  // A pipe in the file's place must not hold the program up: O_NONBLOCK.
  file_descriptor source{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!source) {
    if (errno == ENOENT) return std::nullopt;
    fail(file, "cannot be read", errno);
  }
  struct stat info {};
  if (::fstat(source.get(), &info) != 0) fail(file, "cannot be read", errno);
  if (!S_ISREG(info.st_mode)) throw std::runtime_error(file.string() + " is no regular file: name another one");
  if (allowed == access::owner_only && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    throw std::runtime_error(
        file.string() +
        " holds a secret that others can reach: run `chmod 600` on it, and replace it if they may have");
  std::string content(max_size + 1, '\0');
  size_t filled = 0;
  while (filled < content.size()) {
    auto n = ::read(source.get(), content.data() + filled, content.size() - filled);
    if (n == 0) break;
    if (n < 0 && errno != EINTR) fail(file, "cannot be read", errno);
    if (n > 0) filled += static_cast<size_t>(n);
  }
  if (filled > max_size)
    throw std::runtime_error(file.string() + " is too large to be what it should be: name another file");
  content.resize(filled);
  return content;
}

void sync_folder(const std::filesystem::path& folder) {
  file_descriptor opened{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (opened) ::fsync(opened.get());
}

void fail(const std::filesystem::path& file, const char* what, int error) {
  throw std::runtime_error(file.string() + " " + what + ": " + std::generic_category().message(error));
}

}  // namespace corolla::crypto
