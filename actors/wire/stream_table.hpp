// Which streams there are, on which side they began, and how far each has ended.  A stream is ended by either side with
// end_stream; the other drops what it had queued there, and confirms with end_stream once all data of the stream has
// been taken.  Then both have forgotten it, and its id is never used again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "actors/wire/frame.hpp"

namespace corolla::actors::wire {

struct stream_state {
  bool ours = false;        ///< opened by this side
  bool ended_here = false;  ///< this side sends nothing more and wants nothing more
  bool end_sent = false;    ///< and has said so
  bool ended_there = false;
};

class stream_table {
 public:
  /// The dialler opens odd streams, the other side even ones.
  explicit stream_table(bool dialler) : dialler_{dialler} {}

  void set_limits(uint32_t ours, uint32_t theirs) {
    limit_ours_ = ours;
    limit_theirs_ = theirs;
  }

  stream_state* find(uint64_t stream);
  void erase(uint64_t stream);
  size_t size() const { return streams_.size(); }

  /// Opens a stream for its first message.  Not empty: why that must not be.
  std::string_view open_ours(uint64_t stream, const frame_header& first);
  std::string_view open_theirs(uint64_t stream, const frame_header& first);
  /// One more stream of this side would be beyond what the peer takes.
  bool full() const { return open_ours_ >= limit_ours_; }

 private:
  bool is_ours(uint64_t stream) const { return (stream % 2 == 1) == dialler_; }

  bool dialler_;
  uint32_t limit_ours_ = 0, limit_theirs_ = 0;
  uint32_t open_ours_ = 0, open_theirs_ = 0;
  uint64_t last_ours_ = 0, last_theirs_ = 0;
  std::unordered_map<uint64_t, stream_state> streams_;
};

}  // namespace corolla::actors::wire
