#include "crypto/tls.hpp"

#include "crypto/identity.hpp"
#include "crypto/tls_handshake.hpp"
#include "crypto/tls_wires.hpp"

#include <limits>

namespace corolla::crypto {

namespace {

using ssl_ptr = ossl_ptr<SSL, SSL_free>;

// A peer earns one more change of its key with so much plaintext.
constexpr uint64_t bytes_per_key_change = uint64_t{1} << 20;

std::string describe(unsigned long error) {
  auto reason = ERR_GET_REASON(error);
  // OpenSSL gives the alerts that a peer sends as reasons too.
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET)
    return std::string{"the peer refused: "} + SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET);
  auto* text = ERR_reason_error_string(error);
  return std::string{"TLS failed: "} + (text != nullptr ? text : "no reason given");
}

}  // namespace

struct tls_channel::implementation {
  implementation(SSL_CTX* settings, const std::optional<peer_id>& expected, const tls_limits& given);

  void shake_hands();
  void read_all(plaintext_sink& sink);
  bool write(byte_view plaintext);
  void close();

  void fail(std::string why);
  void fail_with_openssl();

  tls_limits limits;
  tls_wires wires;
  tls_handshake handshake;
  ssl_ptr ssl;
  tls_state state = tls_state::handshaking;
  std::optional<peer_id> peer;
  std::string failure;
  uint64_t bytes_received = 0;
  uint64_t records_sent = 0;
};

tls_channel::implementation::implementation(
    SSL_CTX* settings, const std::optional<peer_id>& expected, const tls_limits& given)
    : limits{given}, ssl{SSL_new(settings)} {
  require(ssl != nullptr, "begin a TLS connection");
  wires.allowance = limits.handshake_bytes;
  handshake.expected = expected;
  SSL_set_app_data(ssl.get(), &handshake);
  auto* bio = make_bio(wires).release();
  SSL_set_bio(ssl.get(), bio, bio);
}

void tls_channel::implementation::shake_hands() {
  ERR_clear_error();
  auto outcome = SSL_do_handshake(ssl.get());
  if (outcome == 1 && handshake.claimed) {
    peer = handshake.claimed;
    handshake.done = true;
    wires.allowance = std::numeric_limits<size_t>::max();
    state = tls_state::open;
  } else if (outcome == 1 || SSL_get_error(ssl.get(), outcome) != SSL_ERROR_WANT_READ) {
    fail_with_openssl();
  } else if (!wires.in.empty()) {
    fail("the peer did not prove its identity within " + std::to_string(limits.handshake_bytes) + " bytes");
  }
}

void tls_channel::implementation::read_all(plaintext_sink& sink) {
  while (state == tls_state::open) {
    auto room = sink.room();
    if (room.empty()) return fail("the peer sent what it must not");
    size_t size = 0;
    ERR_clear_error();
    auto outcome = SSL_read_ex(ssl.get(), room.data(), room.size(), &size);
    if (outcome == 1) {
      auto earned = bytes_received / bytes_per_key_change;
      bytes_received += size;
      handshake.key_changes_left += bytes_received / bytes_per_key_change - earned;
      sink.filled(size);
      continue;
    }
    auto error = SSL_get_error(ssl.get(), outcome);
    if (error == SSL_ERROR_ZERO_RETURN)
      state = tls_state::closed;
    else if (error != SSL_ERROR_WANT_READ || !handshake.refusal.empty())
      fail_with_openssl();
    return;
  }
}

bool tls_channel::implementation::write(byte_view plaintext) {
  if (state != tls_state::open) return false;
  // OpenSSL leaves open what it does when there is nothing to write.
  if (plaintext.empty()) return true;
  ERR_clear_error();
  auto records = (plaintext.size() - 1) / SSL3_RT_MAX_PLAIN_LENGTH + 1;
  records_sent += records;
  if (records_sent > limits.records_per_key) {
    records_sent = records;
    if (SSL_key_update(ssl.get(), SSL_KEY_UPDATE_NOT_REQUESTED) != 1) {
      fail_with_openssl();
      return false;
    }
  }
  size_t written = 0;
  if (SSL_write_ex(ssl.get(), plaintext.data(), plaintext.size(), &written) == 1) return true;
  fail_with_openssl();
  return false;
}

void tls_channel::implementation::close() {
  if (state == tls_state::open) {
    ERR_clear_error();
    SSL_shutdown(ssl.get());
    ERR_clear_error();
  }
  if (state != tls_state::failed) state = tls_state::closed;
}

void tls_channel::implementation::fail(std::string why) {
  state = tls_state::failed;
  failure = std::move(why);
}

void tls_channel::implementation::fail_with_openssl() {
  auto error = ERR_get_error();
  ERR_clear_error();
  fail(handshake.refusal.empty() ? describe(error) : handshake.refusal);
}

tls_context::tls_context(const identity& self) : context_{make_tls_settings(self.key_.get())} {}

tls_channel::tls_channel(std::unique_ptr<implementation> self) : self_{std::move(self)} {}
tls_channel::tls_channel(tls_channel&&) noexcept = default;
tls_channel& tls_channel::operator=(tls_channel&&) noexcept = default;
tls_channel::~tls_channel() = default;

tls_channel tls_channel::connect(
    const tls_context& context, const std::optional<peer_id>& expected, std::vector<char>& out,
    const tls_limits& limits) {
  auto self = std::make_unique<implementation>(context.context_.get(), expected, limits);
  SSL_set_connect_state(self->ssl.get());
  lend lent_out{self->wires.out, &out};
  self->shake_hands();
  return tls_channel{std::move(self)};
}

tls_channel tls_channel::accept(const tls_context& context, const tls_limits& limits) {
  auto self = std::make_unique<implementation>(context.context_.get(), std::nullopt, limits);
  SSL_set_accept_state(self->ssl.get());
  return tls_channel{std::move(self)};
}

tls_state tls_channel::feed(byte_view ciphertext, plaintext_sink& sink, std::vector<char>& out) {
  lend lent_in{self_->wires.in, ciphertext};
  lend lent_out{self_->wires.out, &out};
  if (self_->state == tls_state::handshaking) self_->shake_hands();
  self_->read_all(sink);
  return self_->state;
}

bool tls_channel::write(byte_view plaintext, std::vector<char>& out) {
  lend lent_out{self_->wires.out, &out};
  return self_->write(plaintext);
}

void tls_channel::close(std::vector<char>& out) {
  lend lent_out{self_->wires.out, &out};
  self_->close();
}

tls_state tls_channel::state() const {
  return self_->state;
}
const std::optional<peer_id>& tls_channel::peer() const {
  return self_->peer;
}
const std::string& tls_channel::failure() const {
  return self_->failure;
}

}  // namespace corolla::crypto
