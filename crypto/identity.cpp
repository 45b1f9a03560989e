#include "crypto/identity.hpp"

#include "crypto/key_file.hpp"

#include <stdexcept>

namespace corolla::crypto {

namespace {

// TLS signs bytes that begin with a blank and X.509 bytes that begin with '0': no signature made here passes for
// theirs.
constexpr std::string_view domain = "corolla signature v1";

/// What is signed: domain, length of the context, context, message.
std::vector<std::byte> in_context(std::string_view context, byte_view message) {
  if (context.size() > max_context) throw std::invalid_argument("the context of a signature takes at most 255 bytes");
  std::vector<std::byte> bytes;
  bytes.reserve(domain.size() + 1 + context.size() + message.size());
  append(bytes, as_view(domain));
  bytes.push_back(static_cast<std::byte>(context.size()));
  append(bytes, as_view(context));
  append(bytes, message);
  return bytes;
}

const unsigned char* data_of(const std::vector<std::byte>& bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

public_key_bytes raw_public_key(EVP_PKEY* key) {
  public_key_bytes bytes;
  size_t size = bytes.size();
  require(EVP_PKEY_get_raw_public_key(key, bytes.data(), &size) == 1 && size == bytes.size(), "read a public key");
  return bytes;
}

std::shared_ptr<EVP_PKEY> shared(pkey_ptr key) {
  return {std::move(key)};
}

}  // namespace

identity::identity(std::shared_ptr<evp_pkey_st> key)
    : key_{std::move(key)}, public_key_{raw_public_key(key_.get())}, peer_{peer_id::of(public_key_)} {}

identity identity::generate() {
  pkey_ptr key{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
  require(key != nullptr, "make a key");
  return identity{shared(std::move(key))};
}

identity identity::load(const std::filesystem::path& file) {
  auto key = read_key_file(file);
  if (!key) throw std::runtime_error(file.string() + " does not exist: name the file of an existing key");
  return identity{shared(std::move(key))};
}

identity identity::load_or_make(const std::filesystem::path& file) {
  if (auto key = read_key_file(file)) return identity{shared(std::move(key))};
  auto made = generate();
  // Who comes second uses the key of who came first.
  return create_key_file(file, made.key_.get()) ? made : load(file);
}

signature_bytes identity::sign(std::string_view context, byte_view message) const {
  auto bytes = in_context(context, message);
  signature_bytes signature;
  size_t size = signature.size();
  md_ctx_ptr digest{EVP_MD_CTX_new()};
  require(
      digest && EVP_DigestSignInit(digest.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
          EVP_DigestSign(digest.get(), signature.data(), &size, data_of(bytes), bytes.size()) == 1,
      "sign");
  return signature;
}

bool verify(
    const public_key_bytes& key, std::string_view context, byte_view message, const signature_bytes& signature) {
  auto bytes = in_context(context, message);
  pkey_ptr holder{EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size())};
  md_ctx_ptr digest{EVP_MD_CTX_new()};
  require(digest != nullptr, "allocate");
  auto genuine = holder != nullptr &&
                 EVP_DigestVerifyInit(digest.get(), nullptr, nullptr, nullptr, holder.get()) == 1 &&
                 EVP_DigestVerify(digest.get(), signature.data(), signature.size(), data_of(bytes), bytes.size()) == 1;
  ERR_clear_error();
  return genuine;
}

}  // namespace corolla::crypto
