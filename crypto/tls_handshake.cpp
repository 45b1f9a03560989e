#include "crypto/tls_handshake.hpp"

#include "crypto/tls.hpp"
#include "crypto/tls_certificate.hpp"
#include "crypto/tls_wires.hpp"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace corolla::crypto {

namespace {

// A Certificate message of TLS 1.3 holds the certificate and a few bytes around it.
constexpr long max_certificate_message = 2 * max_certificate_bytes;

// ALPN's form of a list of names: each after its length.
constexpr std::string_view protocol_list =
    "\x09"
    "corolla/1";
static_assert(protocol_list[0] == tls_protocol.size() && protocol_list.substr(1) == tls_protocol);

const unsigned char* as_unsigned(const char* text) {
  return reinterpret_cast<const unsigned char*>(text);
}

tls_handshake& handshake_of(const SSL* ssl) {
  return *static_cast<tls_handshake*>(SSL_get_app_data(ssl));
}

bool speaks_our_protocol(const SSL* ssl) {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl, &name, &size);
  return std::string_view{reinterpret_cast<const char*>(name), size} == tls_protocol;
}

/// Why the peer with these certificates is refused; empty if it is not.
std::string judge(const SSL* ssl, STACK_OF(X509) * certificates, tls_handshake& handshake) {
  // A peer that offers no protocol at all gets here.
  if (!speaks_our_protocol(ssl)) return "the peer does not speak " + std::string{tls_protocol};
  if (sk_X509_num(certificates) != 1) return "the peer sent a chain of certificates instead of its own alone";
  auto key = self_signed_key(sk_X509_value(certificates, 0));
  if (!key)
    return "the peer's certificate is not signed by its own Ed25519 key, or larger than " +
           std::to_string(max_certificate_bytes) + " bytes";
  auto id = peer_id::of(*key);
  if (handshake.expected && *handshake.expected != id)
    return "peer is " + id.to_string() + ", expected " + handshake.expected->to_string();
  handshake.claimed = id;
  return {};
}

// The callbacks are called through C: where memory ends in them, so does the process.

/// Takes the place of OpenSSL's search for an authority.  On the dialler's side it comes before its own certificate is
/// sent: the wrong peer does not learn who called.
int verify_peer(X509_STORE_CTX* store, void*) noexcept {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& handshake = handshake_of(ssl);
  handshake.refusal = judge(ssl, X509_STORE_CTX_get0_untrusted(store), handshake);
  if (handshake.refusal.empty()) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

int choose_protocol(
    SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
    unsigned int offered_size, void*) noexcept {
  unsigned char* found = nullptr;
  auto outcome = SSL_select_next_proto(
      &found, chosen_size, as_unsigned(protocol_list.data()), static_cast<unsigned int>(protocol_list.size()), offered,
      offered_size);
  if (outcome == OPENSSL_NPN_NEGOTIATED) {
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
  }
  handshake_of(ssl).refusal = "the peer does not speak " + std::string{tls_protocol};
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// Sees every message: after the handshake only changes of keys are left, and few of them.
void watch(int written, int, int type, const void* message, size_t size, SSL* ssl, void*) noexcept {
  auto& handshake = handshake_of(ssl);
  if (written != 0 || type != SSL3_RT_HANDSHAKE || !handshake.done || size == 0) return;
  if (*static_cast<const unsigned char*>(message) != SSL3_MT_KEY_UPDATE)
    handshake.refusal = "the peer sent a message that has no place after the handshake";
  else if (handshake.key_changes_left == 0)
    handshake.refusal = "the peer changed its key too often";
  else
    --handshake.key_changes_left;
  // OpenSSL would answer all of a flood before it comes back.
  if (!handshake.refusal.empty()) wires_of(SSL_get_rbio(ssl)).allowance = 0;
}

/// Without such instructions ChaCha20 is the faster one, and AES hard to protect against timing.
bool has_aes_instructions() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes");
#elif defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
  return false;
#endif
}

const char* ciphers() {
  return has_aes_instructions() ? "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
                                : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";
}

void allow_one_way_only(SSL_CTX* settings) {
  require(
      SSL_CTX_set_min_proto_version(settings, TLS1_3_VERSION) == 1 &&
          SSL_CTX_set_max_proto_version(settings, TLS1_3_VERSION) == 1 &&
          SSL_CTX_set_ciphersuites(settings, ciphers()) == 1 && SSL_CTX_set1_groups_list(settings, "X25519") == 1 &&
          SSL_CTX_set1_sigalgs_list(settings, "ed25519") == 1 && SSL_CTX_set_num_tickets(settings, 0) == 1 &&
          SSL_CTX_set_max_early_data(settings, 0) == 1,
      "set up TLS");
  // Whichever side lacks AES instructions has its way.
  SSL_CTX_set_options(
      settings, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                    SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(settings, max_certificate_message);
}

}  // namespace

std::shared_ptr<SSL_CTX> make_tls_settings(EVP_PKEY* key) {
  std::shared_ptr<SSL_CTX> settings{SSL_CTX_new(TLS_method()), SSL_CTX_free};
  require(settings != nullptr, "set up TLS");
  allow_one_way_only(settings.get());

  auto certificate = make_certificate(key);
  require(
      SSL_CTX_use_certificate(settings.get(), certificate.get()) == 1 &&
          SSL_CTX_use_PrivateKey(settings.get(), key) == 1,
      "use a certificate");
  SSL_CTX_set_verify(settings.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(settings.get(), verify_peer, nullptr);

  // Alone among these calls it returns 0 when done.
  require(
      SSL_CTX_set_alpn_protos(
          settings.get(), as_unsigned(protocol_list.data()), static_cast<unsigned int>(protocol_list.size())) == 0,
      "set up ALPN");
  SSL_CTX_set_alpn_select_cb(settings.get(), choose_protocol, nullptr);
  SSL_CTX_set_msg_callback(settings.get(), watch);
  return settings;
}

}  // namespace corolla::crypto
