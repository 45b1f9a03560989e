#include "crypto/tls_certificate.hpp"

#include "crypto/random.hpp"

namespace corolla::crypto {

namespace {

// 63 bits: RFC 5280 wants serial numbers to be positive.
uint64_t random_serial() {
  std::array<uint8_t, 8> bytes;
  fill_random(bytes);
  uint64_t serial = 0;
  for (auto byte : bytes) serial = serial << 8 | byte;
  return serial >> 1 | 1;
}

}  // namespace

x509_ptr make_certificate(EVP_PKEY* key) {
  x509_ptr certificate{X509_new()};
  require(certificate != nullptr, "allocate");
  auto* name = X509_get_subject_name(certificate.get());
  auto* common_name = reinterpret_cast<const unsigned char*>("corolla");
  // Valid for ever, as the key is: no clock is asked, neither here nor by the peer.
  require(
      X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
          ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), random_serial()) == 1 &&
          ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate.get()), "20200101000000Z") == 1 &&
          ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate.get()), "99991231235959Z") == 1 &&
          X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1 &&
          X509_set_issuer_name(certificate.get(), name) == 1 && X509_set_pubkey(certificate.get(), key) == 1 &&
          X509_sign(certificate.get(), key, /*md=*/nullptr) > 0,
      "make a certificate");
  return certificate;
}

std::optional<public_key_bytes> self_signed_key(X509* certificate) {
  auto* key = X509_get0_pubkey(certificate);
  if (key == nullptr || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) return std::nullopt;
  if (i2d_X509(certificate, nullptr) > static_cast<int>(max_certificate_bytes) || X509_verify(certificate, key) != 1)
    return std::nullopt;
  public_key_bytes bytes;
  auto size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(key, bytes.data(), &size) != 1 || size != bytes.size()) return std::nullopt;
  return bytes;
}

}  // namespace corolla::crypto
