// A link's core against any peer, any user and any passing of time: an input is a list of what they do.  Whatever that
// is, the core keeps its memory within limits, sends well-formed frames alone, answers for each message that it took
// exactly once, and is silent once it is over.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "actors/wire/link_core.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/require.hpp"
#include "tests/support/core_ends.hpp"
#include "tests/support/plain_channel.hpp"

namespace {

using namespace corolla::actors::wire;
using namespace corolla::tests;
using corolla::crypto::peer_id;

/// The user: keeps the books that the core must agree with.
class user final : public link_events {
 public:
  void established(const peer_id&, const hello&) override { REQUIRE(!std::exchange(is_established_, true)); }
  void received(incoming message) override {
    hear();
    REQUIRE(message.body.size() <= limits::body_bytes);
    REQUIRE(!message.payload || message.payload->size() <= limits::payload_bytes);
  }
  void ended(uint64_t) override { hear(); }
  void sent(outbox::ticket name) override { answered(name); }
  void dropped(outbox::ticket name, const refusal&) override { answered(name); }
  void measured(std::chrono::microseconds, bool) override { hear(); }

  void expect_answer(outbox::ticket name) { pending_.insert(name); }
  void expect_none(outbox::ticket name) { REQUIRE(pending_.erase(name) == 1); }
  void link_over() {
    REQUIRE(pending_.empty());
    over_ = true;
  }

 private:
  void hear() { REQUIRE(is_established_ && !over_); }
  void answered(outbox::ticket name) {
    hear();
    REQUIRE(pending_.erase(name) == 1);
  }

  bool is_established_ = false;
  bool over_ = false;
  std::set<outbox::ticket> pending_;
};

/// The peer: checks each frame that the core sends.
class peer_reader final : public frame_reader::listener {
 public:
  void read(std::span<const char> sent) {
    auto bytes = std::as_bytes(sent);
    // The channel begins with the id of its side.
    auto id = std::min(bytes.size(), id_bytes_left_);
    id_bytes_left_ -= id;
    for (bytes = bytes.subspan(id); !bytes.empty();) {
      auto room = reader_.room();
      auto size = std::min(room.size(), bytes.size());
      std::copy_n(bytes.begin(), size, room.begin());
      bytes = bytes.subspan(size);
      reader_.filled(size);
    }
  }

 private:
  placement place(const checked_header& checked) override {
    REQUIRE(checked.fault.empty() && !is_skippable(checked.header.type));
    REQUIRE(!said_goodbye_);
    said_goodbye_ = checked.header.type == frame_type::goodbye;
    if (checked.header.type != frame_type::data) return {placement::kind::gather, {}, {}};
    REQUIRE(checked.header.length <= limits::piece_bytes);
    return {placement::kind::direct, std::span{data_}.first(checked.header.length), {}};
  }
  void frame_read(const frame_header&, std::span<const std::byte>) override {}

  size_t id_bytes_left_ = peer_id{}.bytes.size();
  bool said_goodbye_ = false;
  std::vector<std::byte> data_ = std::vector<std::byte>(limits::piece_bytes);
  frame_reader reader_{*this};
};

class scene {
 public:
  explicit scene(fuzz_input& in) : in_{in}, flags_{in.byte()} {
    std::vector<char> first;
    auto channel = plain_channel(id_of(1), std::nullopt, first);
    link_rules rules;
    rules.dialler = (flags_ & 1) != 0;
    rules.echo = (flags_ & 2) != 0;
    rules.judge = [this](const peer_id&, const hello&) { return flags_ & 4 ? std::optional{refusal{}} : std::nullopt; };
    rules.outbound_ceiling = ceiling;
    core_.emplace(std::move(rules), std::move(channel), std::move(first), user_, now_);
    // Most inputs begin behind the greeting, which has a target of its own.
    if ((flags_ & 8) == 0) greet();
  }

  void run() {
    while (!in_.empty() && !core_->over()) {
      act();
      check();
    }
    core_->disconnect();
    check();
    REQUIRE(core_->over());
    core_->take(1, 1);
    core_->tick(now_ + std::chrono::hours{1});
    pull();
  }

 private:
  static constexpr size_t ceiling = 1024 * 1024;

  void greet() {
    auto id = id_of(2);
    receive(std::as_bytes(std::span{id.bytes}));
    hello self;
    self.takes.credit = flags_ & 16 ? 100 : limits::chunk_bytes;
    self.takes.streams = flags_ & 32 ? 1 : limits::open_streams;
    receive(frame(frame_type::hello, priority::control, 0, encode(self)));
  }

  void act() {
    switch (in_.byte() % 8) {
      case 0:
        return receive(in_.bytes(in_.number()));
      case 1:
      case 2:
        return receive_frame();
      case 3:
        return pull();
      case 4:
        return pass(std::chrono::milliseconds{20} * in_.byte());
      case 5:
        return send();
      case 6: {
        auto stream = in_.byte();
        return core_->take(stream, uint32_t{in_.number()} * 16);
      }
      default:
        return in_.byte() % 8 == 0 ? core_->close({}, now_) : static_cast<void>(core_->ping(now_));
    }
  }

  void receive(std::span<const std::byte> bytes) { core_->receive(bytes, now_); }

  /// A frame whose length is right: its body goes on with zeros where the input ends.
  void receive_frame() {
    auto type = static_cast<frame_type>(in_.byte());
    auto cls = static_cast<priority>(in_.byte());
    auto stream = in_.byte();
    size_t length = in_.number();
    auto given = in_.bytes(std::min<size_t>(length, in_.byte()));
    std::vector<std::byte> body{given.begin(), given.end()};
    body.resize(length);
    receive(frame(type, cls, stream, body));
  }

  void pull() {
    std::vector<char> out;
    core_->pull(out);
    peer_.read(out);
  }

  void pass(std::chrono::milliseconds time) {
    now_ += time;
    core_->tick(now_);
    // Otherwise whoever waits for the deadline would spin.
    REQUIRE(core_->over() || core_->deadline() > now_);
  }

  void send() {
    auto type = static_cast<frame_type>(in_.byte());
    auto cls = static_cast<priority>(in_.byte());
    auto stream = in_.byte();
    auto message = message_on(stream, type, cls, in_.number());
    message.end_stream = in_.byte() % 4 == 0;
    user_.expect_answer(++last_);
    if (core_->send(std::move(message), last_)) user_.expect_none(last_);
  }

  void check() {
    auto counted = core_->counters();
    REQUIRE(counted.held_bytes <= limits::inbound_ceiling_bytes);
    REQUIRE(counted.open_streams <= 2 * limits::open_streams);
    // The user's part has a ceiling, what is owed to the peer another; a core that echoes answers beyond both.
    REQUIRE((flags_ & 2) != 0 || counted.queued_bytes <= ceiling + 2 * limits::owed_bytes);
    if (core_->over()) user_.link_over();
  }

  fuzz_input& in_;
  uint8_t flags_;
  user user_;
  peer_reader peer_;
  link_core::time_point now_{};
  std::optional<link_core> core_;
  outbox::ticket last_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz_input in{data, size};
  scene{in}.run();
  return 0;
}
