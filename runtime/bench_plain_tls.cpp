#include "runtime/bench_plain_tls.hpp"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <vector>

#include "runtime/bench_processes.hpp"

namespace corolla::runtime {
namespace {

constexpr size_t block_bytes = 256 * 1024;

template <auto Free>
struct freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using settings_ptr = std::unique_ptr<SSL_CTX, freer<SSL_CTX_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freer<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, freer<X509_free>>;
using ssl_ptr = std::unique_ptr<SSL, freer<SSL_free>>;

void require(bool done) {
  if (!done) throw std::runtime_error{"plain OpenSSL failed"};
}

settings_ptr make_settings() {
  key_ptr key{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
  certificate_ptr certificate{X509_new()};
  require(key && certificate);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  require(X509_set_pubkey(certificate.get(), key.get()) == 1 && X509_sign(certificate.get(), key.get(), nullptr) > 0);
  settings_ptr settings{SSL_CTX_new(TLS_method())};
  require(
      settings && SSL_CTX_set_min_proto_version(settings.get(), TLS1_3_VERSION) == 1 &&
      SSL_CTX_set_ciphersuites(settings.get(), "TLS_AES_128_GCM_SHA256") == 1 &&
      SSL_CTX_use_certificate(settings.get(), certificate.get()) == 1 &&
      SSL_CTX_use_PrivateKey(settings.get(), key.get()) == 1);
  return settings;
}

bool read_all(SSL* ssl, char* to, size_t size) {
  for (size_t at = 0, count = 0; at < size; at += count)
    if (SSL_read_ex(ssl, to + at, size - at, &count) != 1) return false;
  return true;
}

bool write_all(SSL* ssl, const char* from, uint64_t size) {
  size_t count = 0;
  for (auto left = size; left > 0; left -= count)
    if (SSL_write_ex(ssl, from, std::min<uint64_t>(block_bytes, left), &count) != 1) return false;
  return true;
}

// In the eight bytes ahead of the others: their number, and whether all of them come back or one.
constexpr uint64_t echo_flag = uint64_t{1} << 63;

void serve(int socket) {
  auto settings = make_settings();
  ssl_ptr ssl{SSL_new(settings.get())};
  SSL_set_fd(ssl.get(), socket);
  require(SSL_accept(ssl.get()) == 1);
  std::vector<char> block(block_bytes);
  uint64_t request = 0;
  while (read_all(ssl.get(), reinterpret_cast<char*>(&request), sizeof request)) {
    size_t last = 0;
    for (auto left = request & ~echo_flag; left > 0; left -= last)
      if (last = std::min<uint64_t>(block.size(), left); !read_all(ssl.get(), block.data(), last)) return;
    if (!write_all(ssl.get(), block.data(), (request & echo_flag) != 0 ? last : 1)) return;
  }
}

using clock = std::chrono::steady_clock;
double seconds_since(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

}  // namespace

struct plain_tls_peer::connection {
  settings_ptr settings = make_settings();
  ssl_ptr ssl{SSL_new(settings.get())};
  std::vector<char> block = std::vector<char>(block_bytes);
};

plain_tls_peer::plain_tls_peer() {
  auto sockets = connected_pair(/*blocking=*/true);
  child_ = fork_into([&] {
    ::close(sockets.first);
    serve(sockets.second);
  });
  ::close(sockets.second);
  connection_ = std::make_unique<connection>();
  SSL_set_fd(connection_->ssl.get(), sockets.first);
  require(SSL_connect(connection_->ssl.get()) == 1);
}

plain_tls_peer::~plain_tls_peer() {
  ::close(SSL_get_fd(connection_->ssl.get()));
  ::waitpid(child_, nullptr, 0);
}

double plain_tls_peer::bytes_per_second(uint64_t bytes) {
  auto* ssl = connection_->ssl.get();
  std::vector<char>& block = connection_->block;
  auto begin = clock::now();
  require(write_all(ssl, reinterpret_cast<const char*>(&bytes), sizeof bytes));
  for (auto left = bytes; left > 0; left -= std::min<uint64_t>(block.size(), left))
    require(write_all(ssl, block.data(), std::min<uint64_t>(block.size(), left)));
  require(read_all(ssl, block.data(), 1));
  return static_cast<double>(bytes) / seconds_since(begin);
}

std::vector<double> plain_tls_peer::round_trips(uint32_t size, uint32_t count) {
  auto* ssl = connection_->ssl.get();
  std::vector<char> message(sizeof(uint64_t) + size);
  auto request = echo_flag | size;
  std::copy_n(reinterpret_cast<const char*>(&request), sizeof request, message.data());
  std::vector<double> seconds;
  seconds.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    auto begin = clock::now();
    require(write_all(ssl, message.data(), message.size()));
    require(read_all(ssl, connection_->block.data(), size));
    seconds.push_back(seconds_since(begin));
  }
  return seconds;
}

}  // namespace corolla::runtime
