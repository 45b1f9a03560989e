#include "crypto/tls_wires.hpp"

#include <algorithm>
#include <cstring>

namespace corolla::crypto {

tls_wires& wires_of(BIO* bio) {
  return *static_cast<tls_wires*>(BIO_get_data(bio));
}

namespace {

int read(BIO* bio, char* into, size_t size, size_t* done) {
  auto& wires = wires_of(bio);
  BIO_clear_retry_flags(bio);
  size = std::min({size, wires.in.size(), wires.allowance});
  if (size == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(into, wires.in.data(), size);
  wires.in = wires.in.subspan(size);
  wires.allowance -= size;
  *done = size;
  return 1;
}

// Called through C: where memory ends here, so does the process.
int write(BIO* bio, const char* from, size_t size, size_t* done) noexcept {
  auto* out = wires_of(bio).out;
  if (out == nullptr) return 0;
  out->insert(out->end(), from, from + size);
  *done = size;
  return 1;
}

long control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// Never freed: a channel may outlive every static object.
BIO_METHOD* make_method() {
  auto* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "corolla wires");
  require(
      method != nullptr && BIO_meth_set_read_ex(method, read) == 1 && BIO_meth_set_write_ex(method, write) == 1 &&
          BIO_meth_set_ctrl(method, control) == 1,
      "set up a BIO");
  return method;
}

}  // namespace

bio_ptr make_bio(tls_wires& wires) {
  static const auto* method = make_method();
  bio_ptr bio{BIO_new(method)};
  require(bio != nullptr, "allocate");
  BIO_set_data(bio.get(), &wires);
  BIO_set_init(bio.get(), 1);
  return bio;
}

}  // namespace corolla::crypto
