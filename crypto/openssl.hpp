// What the sources of this folder share about OpenSSL: owners of its objects, and its error queue.  Not for other
// folders.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace corolla::crypto {

template <auto Free>
struct ossl_deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

template <class T, auto Free>
using ossl_ptr = std::unique_ptr<T, ossl_deleter<Free>>;

using bio_ptr = ossl_ptr<BIO, BIO_free_all>;
using pkey_ptr = ossl_ptr<EVP_PKEY, EVP_PKEY_free>;
using md_ctx_ptr = ossl_ptr<EVP_MD_CTX, EVP_MD_CTX_free>;
using x509_ptr = ossl_ptr<X509, X509_free>;

/// Empties this thread's error queue and returns its first entry as words: the first is the cause.
inline std::string take_error() {
  auto code = ERR_get_error();
  ERR_clear_error();
  auto* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return reason != nullptr ? reason : "no reason given";
}

/// For calls that fail only when memory or the library itself does.
inline void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string{"OpenSSL failed to "} + what + ": " + take_error());
}

}  // namespace corolla::crypto
