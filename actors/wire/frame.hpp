// What a link carries: a 16-byte header, checked against limits before anything of the body is read or allocated.
// actors/wire/README.md is the grammar.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "actors/wire/limits.hpp"

namespace corolla::actors::wire {

/// Append only: the numbers travel.  Below 16: the link's own.  16 and above: messages, which begin with a frame of
/// their type and go on with `data` frames while they carry tensor data.  Top bit set: skipped by who does not know it.
enum class frame_type : uint8_t {
  hello = 1,
  goodbye = 2,
  ping = 3,
  pong = 4,
  credit = 5,      ///< more tensor data of a stream may be sent
  data = 6,        ///< tensor data of the message under way on a stream
  end_stream = 7,  ///< a stream ends, or its end is confirmed; its id is never used again

  open = 16,          ///< control, begins a stream
  opened = 17,        ///< control
  refused = 18,       ///< control: the answer no to open, attach, record or snapshot
  close = 19,         ///< control
  applied = 20,       ///< control
  failed = 21,        ///< control
  attach = 22,        ///< control, begins a stream: steps for a session follow on it
  step = 23,          ///< step or bulk, with tensor data
  step_refused = 24,  ///< control
  record = 25,        ///< control: a directory record
  record_taken = 26,  ///< control
  snapshot = 27,      ///< control: all records, please
  snapshot_end = 28,  ///< control
  status = 29,        ///< control: what a session has done, please
  status_reply = 30,  ///< control
  bench_echo = 31,    ///< any class, with tensor data unless control; as control it begins a stream.  Comes back as it
                      ///< went where a node was started for it, else it is a violation.
  suspect = 32,       ///< control: a server is gone, says a node
  digest = 33,        ///< control: which records the sender holds
  digest_done = 34,   ///< control: all that a digest drew has been sent

  accept = 35,     ///< control: from now on steps come by another edge
  restore = 36,    ///< control: the log goes to a substitute
  relink = 37,     ///< control: from now on outputs go by another edge
  answer = 38,     ///< control: to accept, restore or relink
  restored = 39,   ///< control: a substitute holds what was restored
  edge_lost = 40,  ///< control: an edge is of no more use

  leaving = 41,      ///< control: a session's server is about to leave
  hand_over = 42,    ///< control: cache and log go to a substitute
  prepare = 43,      ///< control: the way to a substitute is found
  drain = 44,        ///< control: leave, please
  drain_reply = 45,  ///< control

  sessions = 46,        ///< control: what all sessions here have done, please
  sessions_reply = 47,  ///< control
  prompts = 48,         ///< bulk, with tensor data: a session's deep prompts
};

/// Lower goes first; each overtakes the higher at frame boundaries.
enum class priority : uint8_t { control = 0, step = 1, bulk = 2 };
inline constexpr size_t num_priorities = 3;

struct frame_header {
  frame_type type{};
  priority cls = priority::control;
  uint32_t length = 0;  ///< of the body that follows
  uint64_t stream = 0;  ///< 0: the link itself and the directory; odd: opened by the dialler; even: by the other
  bool operator==(const frame_header&) const = default;
};

struct checked_header {
  frame_header header;
  /// What is wrong with it, for a sentence to its sender; empty: nothing.
  std::string_view fault;
};

/// Layout: type u8, class u8, zero u16, length u32, stream u64, little-endian.
std::array<std::byte, limits::frame_header_bytes> encode(const frame_header& header);
/// Checks all that can be known without the link's state: type, class, zero bits, length and where the stream may be 0.
checked_header decode_header(std::span<const std::byte, limits::frame_header_bytes> bytes);
/// The same checks for a header that is not bytes yet.
std::string_view fault_of(const frame_header& header);

bool is_known(frame_type type);
/// Unknown and to be read over.
inline bool is_skippable(frame_type type) {
  return static_cast<uint8_t>(type) >= 0x80 && !is_known(type);
}
/// The frame's body begins with the size, uint32, of the tensor data that follows in data frames.
bool announces_data(frame_type type);
/// A stream that does not exist yet begins with such a frame, of class control.
bool begins_stream(frame_type type);
/// Neither the link's own nor data.
inline bool is_message(frame_type type) {
  return static_cast<uint8_t>(type) >= 16 && is_known(type);
}

}  // namespace corolla::actors::wire
