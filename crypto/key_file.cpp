#include "crypto/key_file.hpp"

#include "crypto/file.hpp"

#include <fcntl.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace corolla::crypto {

namespace {

// A PKCS#8 Ed25519 key takes 119 bytes; comments around it are allowed.
constexpr size_t max_key_file = 4096;

/// A file that is gone when this object is, unless it got another name meanwhile.
class temporary_file {
 public:
  explicit temporary_file(const std::filesystem::path& beside) : name_{beside.string() + ".XXXXXX"} {
    // O_EXCL and mode 0600, both by mkostemp's contract.
    file_.reset(::mkostemp(name_.data(), O_CLOEXEC));
    if (!file_) fail(beside, "cannot be made", errno);
  }
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;
  ~temporary_file() { ::unlink(name_.c_str()); }

  int descriptor() const { return file_.get(); }
  const char* name() const { return name_.c_str(); }

 private:
  std::string name_;
  file_descriptor file_;
};

void make_private_folders(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return;
  if (errno != ENOENT || !folder.has_relative_path()) fail(folder, "cannot be made", errno);
  make_private_folders(folder.parent_path());
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) fail(folder, "cannot be made", errno);
}

void write_all(const std::filesystem::path& file, int descriptor, std::string_view text) {
  while (!text.empty()) {
    auto n = ::write(descriptor, text.data(), text.size());
    if (n < 0 && errno != EINTR) fail(file, "cannot be written", errno);
    if (n > 0) text.remove_prefix(static_cast<size_t>(n));
  }
  // Under its final name the file is whole, even after a power cut.
  if (::fsync(descriptor) != 0) fail(file, "cannot be written", errno);
}

// Without a callback of ours OpenSSL would ask the terminal for a passphrase.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

pkey_ptr read_key_file(const std::filesystem::path& file) {
  auto content = read_small_file(file, max_key_file, access::owner_only);
  if (!content) return nullptr;
  bio_ptr source{BIO_new_mem_buf(content->data(), static_cast<int>(content->size()))};
  require(source != nullptr, "allocate");
  pkey_ptr key{PEM_read_bio_PrivateKey(source.get(), nullptr, no_passphrase, nullptr)};
  OPENSSL_cleanse(content->data(), content->size());
  if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) {
    ERR_clear_error();
    throw std::runtime_error(
        file.string() +
        " holds no unencrypted Ed25519 key: restore it from a copy, or move it away to have a new one made");
  }
  return key;
}

bool create_key_file(const std::filesystem::path& file, EVP_PKEY* key) {
  bio_ptr pem{BIO_new(BIO_s_secmem())};
  require(
      pem && PEM_write_bio_PKCS8PrivateKey(pem.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1, "write a key");
  char* text = nullptr;
  auto size = BIO_get_mem_data(pem.get(), &text);

  auto folder = std::filesystem::absolute(file).parent_path();
  make_private_folders(folder);
  temporary_file temporary{file};
  write_all(file, temporary.descriptor(), {text, static_cast<size_t>(size)});
  // Unlike a rename, a link never replaces the key that another process has just made and may be using.
  if (::link(temporary.name(), file.c_str()) != 0) {
    if (errno == EEXIST) return false;
    fail(file, "cannot be made", errno);
  }
  sync_folder(folder);
  return true;
}

}  // namespace corolla::crypto
