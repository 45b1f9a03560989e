// The network as OpenSSL sees it: reads consume a span that the caller lends, writes append to a vector that the caller
// lends.  OpenSSL's own memory BIOs would copy all bytes once more each way.  Not for other folders.
#pragma once

#include "crypto/bytes.hpp"
#include "crypto/openssl.hpp"

#include <utility>
#include <vector>

namespace corolla::crypto {

struct tls_wires {
  byte_view in;
  /// How much of what comes in OpenSSL may still have.
  size_t allowance = 0;
  std::vector<char>* out = nullptr;
};

/// A BIO over `wires`, which must outlive it.
bio_ptr make_bio(tls_wires& wires);
/// What `make_bio` made `bio` over.
tls_wires& wires_of(BIO* bio);

/// Puts a value in place for as long as this lives.
template <class T>
class lend {
 public:
  lend(T& place, T value) : place_{place}, before_{std::exchange(place, value)} {}
  lend(const lend&) = delete;
  lend& operator=(const lend&) = delete;
  ~lend() { place_ = before_; }

 private:
  T& place_;
  T before_;
};

}  // namespace corolla::crypto
