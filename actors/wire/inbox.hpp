// Puts messages together: their first frame, and the data frames that follow on their stream and in their class,
// straight into the buffer that the message will have.  Memory follows the credit that was given, not what a peer
// claims.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "actors/wire/flow.hpp"
#include "actors/wire/hello.hpp"
#include "actors/wire/traffic.hpp"

namespace corolla::actors::wire {

class inbox {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// `fault`: what the peer did wrong; nothing else counts then.
  struct begun {
    std::string_view fault;
    std::optional<incoming> whole;
  };
  /// Where a data frame belongs: `room` is as long as the frame, and lives as long as `owner`.
  struct place {
    std::string_view fault;
    std::span<std::byte> room;
    std::shared_ptr<payload_buffer> owner;
  };

  explicit inbox(const intake& takes) : takes_{takes}, flow_{takes.credit, limits::lent_bytes} {}

  void open(uint64_t stream);
  void close(uint64_t stream);

  /// The first frame of a message; its stream is 0 or open.
  begun begin(const frame_header& header, std::span<const std::byte> body);
  /// The header of a data frame on an open stream.
  place place_data(const frame_header& header);
  /// That frame is in its place: the message, if it is whole now.
  std::optional<incoming> data_filled(const frame_header& header, time_point now);
  void take(uint64_t stream, uint32_t bytes) { flow_.take(stream, bytes); }

  std::vector<grant> collect_grants() { return flow_.collect_grants(); }
  size_t held(uint64_t stream) const { return flow_.held(stream); }
  size_t held() const { return flow_.held(); }
  /// How fast messages came that took more than a frame: a moving average; 0: none came yet.
  float bytes_per_s() const { return bytes_per_s_; }
  /// A message on the stream is not whole yet.
  bool is_amid(uint64_t stream) const;

 private:
  /// Of a message that is whole; what is shorter says little.
  static constexpr uint32_t measured_bytes = 64 * 1024;
  struct partial {
    bool active = false;
    incoming message;
    uint32_t size = 0;  // of the whole payload
    uint32_t received = 0;
    uint32_t first = 0;                      // bytes of the first data frame
    time_point began_at;                     // when that had come
    std::shared_ptr<payload_buffer> buffer;  // may still be smaller than `size`
  };
  using partials = std::array<partial, num_priorities>;

  void measure(const partial& message, time_point now);

  intake takes_;
  inbound_flow flow_;
  float bytes_per_s_ = 0;
  std::unordered_map<uint64_t, partials> streams_;
};

}  // namespace corolla::actors::wire
