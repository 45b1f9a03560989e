#include "model/sha256.hpp"

#include <stdexcept>

#include <openssl/evp.h>

namespace corolla::model {

struct sha256::state {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~state() { EVP_MD_CTX_free(context); }
};

sha256::sha256() : state_(std::make_unique<state>()) {
  if (!state_->context || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("OpenSSL offers no SHA-256");
}
sha256::~sha256() = default;

void sha256::bytes(std::span<const std::byte> data) {
  if (EVP_DigestUpdate(state_->context, data.data(), data.size()) != 1) throw std::runtime_error("SHA-256 failed");
}

void sha256::u64(uint64_t value) {
  std::byte encoded[8];
  for (size_t i = 0; i < sizeof(encoded); ++i) encoded[i] = static_cast<std::byte>(value >> (8 * i));
  bytes(encoded);
}

void sha256::text(std::string_view value) {
  u64(value.size());
  bytes(std::as_bytes(std::span(value)));
}

void sha256::add(const digest& d) {
  bytes(std::as_bytes(std::span(d)));
}

digest sha256::finish() {
  digest result{};
  unsigned size = 0;
  if (EVP_DigestFinal_ex(state_->context, result.data(), &size) != 1 || size != result.size())
    throw std::runtime_error("SHA-256 failed");
  return result;
}

}  // namespace corolla::model
