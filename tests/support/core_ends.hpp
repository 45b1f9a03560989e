// Link cores for tests: one end with a record of what it was told, and two that talk to each other in virtual time.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actors/wire/link_core.hpp"

namespace corolla::tests {

struct core_record : actors::wire::link_events {
  void established(const crypto::peer_id& who, const actors::wire::hello& what) override;
  void received(actors::wire::incoming message) override { messages.push_back(std::move(message)); }
  void ended(uint64_t stream) override { ends.push_back(stream); }
  void sent(actors::wire::outbox::ticket name) override { sent_names.push_back(name); }
  void dropped(actors::wire::outbox::ticket name, const actors::wire::refusal& why) override;
  void measured(std::chrono::microseconds time, bool) override { round_trips.push_back(time); }

  std::optional<crypto::peer_id> peer;
  actors::wire::hello said;
  std::vector<actors::wire::incoming> messages;
  std::vector<uint64_t> ends;
  std::vector<actors::wire::outbox::ticket> sent_names;
  std::vector<std::pair<actors::wire::outbox::ticket, actors::wire::refusal>> dropped_names;
  std::vector<std::chrono::microseconds> round_trips;
};

struct core_options {
  bool dialler = true;
  uint8_t id = 1;  ///< of whom it is: a peer id of 32 such bytes
  std::optional<uint8_t> expected;
  actors::wire::hello self;
  std::function<std::optional<actors::wire::refusal>(const crypto::peer_id&, const actors::wire::hello&)> judge;
  size_t outbound_ceiling = actors::wire::limits::outbound_ceiling_bytes;
  bool echo = false;
};

core_options dialling(uint8_t id = 1);
core_options dialled(uint8_t id = 2);

/// A core behind a channel that does not encrypt.
class core_end {
 public:
  using time_point = actors::wire::link_core::time_point;

  explicit core_end(core_options options, time_point now = {});

  /// All that it wants to send, if its socket takes everything.
  std::vector<char> pull_all();
  void receive(std::span<const char> bytes, time_point now = {});
  void receive(std::span<const std::byte> bytes, time_point now = {});

  core_record record;
  actors::wire::link_core core;

 private:
  struct channel;
  core_end(core_options& options, channel through, time_point now);
};

crypto::peer_id id_of(uint8_t byte);

/// Bytes of a frame.
std::vector<std::byte> frame(
    actors::wire::frame_type type, actors::wire::priority cls, uint64_t stream, std::span<const std::byte> body = {});
/// The body of a message that announces data.
std::vector<std::byte> announcing(uint32_t size);

/// One real end, whose peer is the test: it knows the frames that the end sends, and writes any bytes itself.
class core_and_test {
 public:
  explicit core_and_test(core_options options = dialled());
  /// Peer id and hello, as a well-behaved dialler would.
  void shake_hands();
  void send(std::span<const std::byte> bytes) { end.receive(bytes); }
  void send(
      actors::wire::frame_type type, uint64_t stream, actors::wire::priority cls = actors::wire::priority::control,
      std::span<const std::byte> body = {});
  /// Frames that the end sent since the last time.
  std::vector<actors::wire::frame_header> sent_frames();
  /// The sentence of the goodbye that the end sent, empty if it sent none.
  std::string goodbye();

  core_end end;

 private:
  void collect();
  std::vector<std::byte> unread_;
  bool id_seen_ = false;
  std::vector<actors::wire::frame_header> frames_;
  std::string goodbye_;
};

/// Two ends, and what is under way between them.
struct core_pair {
  explicit core_pair(core_options a = dialling(), core_options b = dialled());
  /// Carries bytes until nobody has anything to say.
  void settle();

  core_end near, far;
  core_end::time_point now{};
};

actors::wire::outgoing message_on(
    uint64_t stream, actors::wire::frame_type type = actors::wire::frame_type::attach,
    actors::wire::priority cls = actors::wire::priority::control, size_t payload = 0);
/// Bytes that differ from place to place.
model::tensor pattern(size_t size, uint32_t seed = 0);

}  // namespace corolla::tests
