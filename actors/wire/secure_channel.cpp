#include "actors/wire/secure_channel.hpp"

#include <utility>

namespace corolla::actors::wire {
namespace {

class tls final : public secure_channel {
 public:
  tls(crypto::tls_channel channel, std::optional<crypto::peer_id> expected)
      : channel_{std::move(channel)}, expected_{expected} {}

  crypto::tls_state feed(crypto::byte_view in, crypto::plaintext_sink& sink, std::vector<char>& out) override {
    return channel_.feed(in, sink, out);
  }
  bool write(crypto::byte_view plaintext, std::vector<char>& out) override { return channel_.write(plaintext, out); }
  void close(std::vector<char>& out) override { channel_.close(out); }
  crypto::tls_state state() const override { return channel_.state(); }
  std::optional<crypto::peer_id> peer() const override { return channel_.peer(); }
  refusal failure() const override {
    // Once the peer was proved, whatever fails is a connection that was tampered with or a peer that misbehaves.
    if (channel_.peer()) return {errc::protocol_violation, channel_.failure()};
    // tls_channel's only sentence with the expected id in it.
    if (expected_ && channel_.failure().find(expected_->to_string()) != std::string::npos)
      return {errc::wrong_peer, channel_.failure()};
    return {errc::unreachable, channel_.failure()};
  }

 private:
  crypto::tls_channel channel_;
  std::optional<crypto::peer_id> expected_;
};

}  // namespace

std::unique_ptr<secure_channel> dial_tls(
    const crypto::tls_context& context, const std::optional<crypto::peer_id>& expected, std::vector<char>& out) {
  return std::make_unique<tls>(crypto::tls_channel::connect(context, expected, out), expected);
}

std::unique_ptr<secure_channel> accept_tls(const crypto::tls_context& context) {
  return std::make_unique<tls>(crypto::tls_channel::accept(context), std::nullopt);
}

}  // namespace corolla::actors::wire
