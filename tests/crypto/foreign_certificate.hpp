// Keys and certificates as strangers may bring them, made with OpenSSL alone.
#pragma once

#include "crypto/openssl.hpp"

#include <openssl/x509v3.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace corolla::crypto {

/// `kind` is RSA, EC, ED25519 or ED448.
inline pkey_ptr make_key(std::string_view kind) {
  pkey_ptr key;
  if (kind == "RSA")
    key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048}));
  else if (kind == "EC")
    key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  else
    key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, std::string{kind}.c_str()));
  require(key != nullptr, "make a key");
  return key;
}

/// A certificate for `key` signed by `signer`, out of date since 1970, with `padding` bytes in a comment.
inline x509_ptr foreign_certificate(EVP_PKEY* key, EVP_PKEY* signer, size_t padding = 0) {
  x509_ptr certificate{X509_new()};
  auto* name = X509_get_subject_name(certificate.get());
  auto* common_name = reinterpret_cast<const unsigned char*>("anyone");
  require(
      X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
          ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate.get()), "19700101000000Z") == 1 &&
          ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate.get()), "19700101000001Z") == 1 &&
          X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1 &&
          X509_set_issuer_name(certificate.get(), name) == 1 && X509_set_pubkey(certificate.get(), key) == 1,
      "make a certificate");
  if (padding > 0) {
    auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_netscape_comment, std::string(padding, 'x').c_str());
    require(extension != nullptr && X509_add_ext(certificate.get(), extension, -1) == 1, "add a comment");
    X509_EXTENSION_free(extension);
  }
  // The digest of Ed25519 and Ed448 is part of them.
  auto plain = EVP_PKEY_get_base_id(signer) == EVP_PKEY_RSA || EVP_PKEY_get_base_id(signer) == EVP_PKEY_EC;
  require(X509_sign(certificate.get(), signer, plain ? EVP_sha256() : nullptr) > 0, "sign a certificate");
  return certificate;
}

}  // namespace corolla::crypto
