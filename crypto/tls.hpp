// TLS between two nodes, without sockets: bytes from the network go in, bytes for the network come out.  Both sides
// prove the key that their peer id is the hash of.  TLS 1.3 only, with ALPN "corolla/1", and nothing that could be
// resumed, renegotiated or sent before proof.
#pragma once

#include "crypto/bytes.hpp"
#include "crypto/peer_id.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// OpenSSL's SSL_CTX.
struct ssl_ctx_st;

namespace corolla::crypto {

class identity;

inline constexpr std::string_view tls_protocol = "corolla/1";

/// What all channels of a node share.  Copies share it; safe to use from any thread.
class tls_context {
 public:
  explicit tls_context(const identity& self);

 private:
  friend class tls_channel;

  std::shared_ptr<ssl_ctx_st> context_;
};

struct tls_limits {
  /// Most bytes taken from a peer before it has proved its identity.
  size_t handshake_bytes = 64 * 1024;
  /// The sending key is replaced after so many records: AES-GCM wears out at 2^24.5 of them (RFC 8446, 5.5).
  uint64_t records_per_key = uint64_t{1} << 23;
};

/// Where a channel puts plaintext: straight into its place, without a buffer between.
class plaintext_sink {
 public:
  virtual ~plaintext_sink() = default;
  /// Where the next bytes belong.  An empty span says that the peer has broken the rules: the channel fails.
  virtual std::span<std::byte> room() = 0;
  /// The first `size` bytes of the room are filled.
  virtual void filled(size_t size) = 0;
};

enum class tls_state {
  handshaking,
  open,
  /// Ended in order, by either side.  A connection that ends without this was cut.
  closed,
  failed,
};

/// One side of one connection.  Where a function takes `out`, it appends to it what is now to be sent, also when the
/// channel fails: the peer is told why.  `out` may hold unsent bytes already.
class tls_channel {
 public:
  /// Begins as the side that dialled.  Fails unless the peer proves to be `expected`; nullopt: anyone.
  static tls_channel connect(
      const tls_context& context, const std::optional<peer_id>& expected, std::vector<char>& out,
      const tls_limits& limits = {});
  /// Begins as the side that was dialled, by anyone.
  static tls_channel accept(const tls_context& context, const tls_limits& limits = {});

  tls_channel(tls_channel&&) noexcept;
  tls_channel& operator=(tls_channel&&) noexcept;
  ~tls_channel();

  /// Takes what came from the network and gives what it says to `sink`, all of it before this returns.  `sink` is not
  /// asked before the peer is proved; it may write to the channel and close it.
  tls_state feed(byte_view ciphertext, plaintext_sink& sink, std::vector<char>& out);

  /// Sends `plaintext`.  False, with nothing sent, unless the channel is open.
  [[nodiscard]] bool write(byte_view plaintext, std::vector<char>& out);

  /// Tells the peer that nothing more comes, and listens no more.
  void close(std::vector<char>& out);

  tls_state state() const;
  /// Who the peer is: known once the channel has been open.
  const std::optional<peer_id>& peer() const;
  /// Why the channel failed, as a sentence; empty unless it did.
  const std::string& failure() const;

 private:
  struct implementation;

  explicit tls_channel(std::unique_ptr<implementation> self);

  std::unique_ptr<implementation> self_;
};

}  // namespace corolla::crypto
