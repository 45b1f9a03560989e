#include "tests/support/plain_channel.hpp"

#include <algorithm>
#include <cstring>

namespace corolla::tests {
namespace {

using actors::errc;
using actors::wire::refusal;
using crypto::tls_state;

class plain final : public actors::wire::secure_channel {
 public:
  explicit plain(const std::optional<crypto::peer_id>& expected) : expected_{expected} {}

  tls_state feed(crypto::byte_view in, crypto::plaintext_sink& sink, std::vector<char>&) override {
    if (state_ == tls_state::handshaking) in = shake_hands(in);
    while (state_ == tls_state::open && !in.empty()) {
      auto room = sink.room();
      if (room.empty()) {
        state_ = tls_state::failed;
        break;
      }
      auto size = std::min(room.size(), in.size());
      std::memcpy(room.data(), in.data(), size);
      in = in.subspan(size);
      sink.filled(size);
    }
    return state_;
  }
  bool write(crypto::byte_view plaintext, std::vector<char>& out) override {
    if (state_ != tls_state::open) return false;
    auto* text = reinterpret_cast<const char*>(plaintext.data());
    out.insert(out.end(), text, text + plaintext.size());
    return true;
  }
  void close(std::vector<char>&) override { state_ = tls_state::closed; }
  tls_state state() const override { return state_; }
  std::optional<crypto::peer_id> peer() const override { return peer_; }
  refusal failure() const override { return failure_; }

 private:
  crypto::byte_view shake_hands(crypto::byte_view in) {
    auto size = std::min(in.size(), claimed_.bytes.size() - received_);
    std::memcpy(claimed_.bytes.data() + received_, in.data(), size);
    received_ += size;
    if (received_ < claimed_.bytes.size()) return {};
    if (expected_ && *expected_ != claimed_) {
      state_ = tls_state::failed;
      failure_ = {errc::wrong_peer, "peer is " + claimed_.to_string() + ", expected " + expected_->to_string()};
    } else {
      state_ = tls_state::open;
      peer_ = claimed_;
    }
    return in.subspan(size);
  }

  std::optional<crypto::peer_id> expected_;
  crypto::peer_id claimed_;
  size_t received_ = 0;
  std::optional<crypto::peer_id> peer_;
  tls_state state_ = tls_state::handshaking;
  refusal failure_{errc::protocol_violation, "the peer has broken the rules"};
};

}  // namespace

std::unique_ptr<actors::wire::secure_channel> plain_channel(
    const crypto::peer_id& self, const std::optional<crypto::peer_id>& expected, std::vector<char>& out) {
  auto* id = reinterpret_cast<const char*>(self.bytes.data());
  out.insert(out.end(), id, id + self.bytes.size());
  return std::make_unique<plain>(expected);
}

}  // namespace corolla::tests
