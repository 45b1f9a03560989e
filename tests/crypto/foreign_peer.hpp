// A peer made with OpenSSL alone, over its own memory BIOs: it keeps none of our rules unless a test says so.
#pragma once

#include "foreign_certificate.hpp"
#include "tls_pair.hpp"

#include <string>
#include <vector>

namespace corolla::crypto {

class foreign_peer {
 public:
  foreign_peer() : context_{SSL_CTX_new(TLS_method())} {
    require(context_ != nullptr && SSL_CTX_set_num_tickets(context_.get(), 0) == 1, "set up TLS");
  }

  /// For settings before the first call of `drive`.
  SSL_CTX* settings() { return context_.get(); }

  void offer_protocol(std::string_view name) {
    auto list = static_cast<char>(name.size()) + std::string{name};
    SSL_CTX_set_alpn_protos(
        settings(), reinterpret_cast<const unsigned char*>(list.data()), static_cast<unsigned int>(list.size()));
    // As a server it takes whatever comes first.
    SSL_CTX_set_alpn_select_cb(
        settings(),
        [](SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered, unsigned int, void*) {
          *size = offered[0];
          *chosen = offered + 1;
          return SSL_TLSEXT_ERR_OK;
        },
        nullptr);
  }

  /// Shows a certificate for a new key of this kind, which signed it.
  void show_certificate(std::string_view kind, size_t padding = 0) {
    auto key = make_key(kind);
    auto certificate = foreign_certificate(key.get(), key.get(), padding);
    require(
        SSL_CTX_use_certificate(settings(), certificate.get()) == 1 &&
            SSL_CTX_use_PrivateKey(settings(), key.get()) == 1,
        "use a certificate");
  }

  void begin(bool as_client) {
    ssl_.reset(SSL_new(settings()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    require(ssl_ && in_ && out_, "begin a TLS connection");
    SSL_set_bio(ssl_.get(), in_, out_);
    as_client ? SSL_set_connect_state(ssl_.get()) : SSL_set_accept_state(ssl_.get());
    // With a certificate or not: what its peer shows is no matter to it.
    SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  }

  SSL* ssl() { return ssl_.get(); }

  void take(const std::vector<char>& bytes) {
    if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
  }

  /// Goes on with the handshake, or reads; gives what is to be sent.
  std::vector<char> drive() {
    char plaintext[4096];
    if (SSL_is_init_finished(ssl_.get()))
      SSL_read(ssl_.get(), plaintext, sizeof plaintext);
    else
      SSL_do_handshake(ssl_.get());
    ERR_clear_error();
    char* data = nullptr;
    auto size = BIO_get_mem_data(out_, &data);
    std::vector<char> sent(data, data + size);
    (void)BIO_reset(out_);
    return sent;
  }

 private:
  ossl_ptr<SSL_CTX, SSL_CTX_free> context_;
  ossl_ptr<SSL, SSL_free> ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

/// Carries bytes both ways until neither end has any.
inline void exchange(tls_end& ours, foreign_peer& theirs) {
  for (auto bytes = theirs.drive(); !bytes.empty() || !ours.out.empty(); bytes = theirs.drive()) {
    ours.take(as_view(bytes), whole);
    theirs.take(std::exchange(ours.out, {}));
  }
}

/// What becomes of our server when `client` calls.
inline tls_end called_by(foreign_peer& client, const tls_context& context, const tls_limits& limits = {}) {
  tls_end ours{tls_channel::accept(context, limits)};
  client.begin(/*as_client=*/true);
  exchange(ours, client);
  return ours;
}

/// What becomes of our client when it dials `server`, taking any id.
inline tls_end calling(foreign_peer& server, const tls_context& context) {
  std::vector<char> hello;
  tls_end ours{tls_channel::connect(context, std::nullopt, hello)};
  ours.out = std::move(hello);
  server.begin(/*as_client=*/false);
  exchange(ours, server);
  return ours;
}

}  // namespace corolla::crypto
