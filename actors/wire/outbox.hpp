// What is to be sent, in which order: control first, then step, then bulk; within a class the streams take turns, a
// piece each, as far as the credit that the peer gave them goes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "actors/wire/hello.hpp"
#include "actors/wire/traffic.hpp"

namespace corolla::actors::wire {

class outbox {
 public:
  /// Names a queued message towards who gave it; 0: nobody asks.
  using ticket = uint64_t;

  /// What is to be written next: the bytes that were appended, and then `payload`.
  struct piece {
    std::span<const std::byte> payload;
    priority cls = priority::control;
    /// Keeps `payload` alive.
    std::shared_ptr<const void> owner;
    /// The message that went out with this piece in full.
    ticket sent = 0;
    /// The stream whose end went out with this piece.
    uint64_t ended = 0;
  };

  /// The peer's limits, once they are known.
  void set_limits(const intake& peer) { peer_ = peer; }

  void open(uint64_t stream);
  /// Forgets the stream and what is queued on it; returns the tickets of that.
  std::vector<ticket> close(uint64_t stream);
  /// Forgets all tensor data and all messages that wait for credit; returns their tickets.
  std::vector<ticket> drop_payloads();

  /// The stream is 0 or open, and has not been ended.
  void push(outgoing message, ticket name);
  /// A frame of the link itself, of class control.
  void push_own(frame_type type, uint64_t stream, std::vector<std::byte> body);
  /// The stream ends behind what is queued on it.
  void end(uint64_t stream);
  /// False: the peer gave more credit than can be.
  [[nodiscard]] bool add_credit(uint64_t stream, uint32_t bytes);

  /// Appends the next frame's header and body to `out`, if there is anything that may be sent.
  std::optional<piece> next(std::vector<std::byte>& out);

  /// Nothing can be sent before the peer gives credit or somebody pushes.
  bool idle() const;
  size_t queued_bytes() const { return queued_bytes_; }
  /// Of that, the link's own frames.
  size_t owed_bytes() const { return owed_bytes_; }
  uint64_t frames() const { return frames_; }

 private:
  struct item {
    outgoing message;
    ticket name = 0;
    bool own = false;
    bool begun = false;
    size_t offset = 0;  // of the payload: what is before it has been sent
  };
  struct stream_state {
    uint64_t credit = 0;
    size_t queued = 0;  // messages, in all classes
    bool ending = false;
    std::array<std::deque<item>, num_priorities> queue;
    std::array<bool, num_priorities> has_turn{};
  };

  static size_t size_of(const item& queued);
  static bool can_go(const stream_state& from, size_t cls);
  void give_turn(uint64_t stream, stream_state& to);
  piece next_control(std::vector<std::byte>& out);
  piece next_data(size_t cls, std::vector<std::byte>& out);
  void begin(item& first, std::vector<std::byte>& out);
  void add_chunk(uint64_t stream, stream_state& from, item& first, piece& result, std::vector<std::byte>& out);
  void finish(uint64_t stream);
  void append_frame(const frame_header& header, std::vector<std::byte>& out);

  intake peer_;
  std::deque<item> control_;
  std::unordered_map<uint64_t, stream_state> streams_;
  std::array<std::deque<uint64_t>, num_priorities> turns_;
  size_t queued_bytes_ = 0;
  size_t owed_bytes_ = 0;
  uint64_t frames_ = 0;
};

}  // namespace corolla::actors::wire
