// What a link encrypts with, as an interface: TLS in a node, nothing at all under a fuzzer and in tests of the
// protocol.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/wire/traffic.hpp"
#include "crypto/peer_id.hpp"
#include "crypto/tls.hpp"

namespace corolla::actors::wire {

/// The contract is crypto::tls_channel's.
class secure_channel {
 public:
  virtual ~secure_channel() = default;
  virtual crypto::tls_state feed(crypto::byte_view in, crypto::plaintext_sink& sink, std::vector<char>& out) = 0;
  [[nodiscard]] virtual bool write(crypto::byte_view plaintext, std::vector<char>& out) = 0;
  virtual void close(std::vector<char>& out) = 0;
  virtual crypto::tls_state state() const = 0;
  virtual std::optional<crypto::peer_id> peer() const = 0;
  /// Why the channel failed.
  virtual refusal failure() const = 0;
};

/// TLS as the side that dialled; `out` takes the first bytes to send.
std::unique_ptr<secure_channel> dial_tls(
    const crypto::tls_context& context, const std::optional<crypto::peer_id>& expected, std::vector<char>& out);
/// TLS as the side that was dialled.
std::unique_ptr<secure_channel> accept_tls(const crypto::tls_context& context);

}  // namespace corolla::actors::wire
