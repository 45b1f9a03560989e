// One direction of a bad connection: bytes that are put in come out later, slower, altered or not at all.  No sockets
// and no clock: times come from the caller, so that tests run it in virtual time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace corolla::runtime {

struct line_settings {
  std::chrono::nanoseconds delay{0};
  /// Part of the delay by which each piece is late or early, 0 to 1.  Order is kept.
  double jitter = 0;
  /// 0: no limit.
  uint64_t bytes_per_s = 0;
  /// One bit of the byte behind so many is flipped.
  std::optional<uint64_t> flip_after{};
  /// After so many bytes nothing comes out any more.
  std::optional<uint64_t> hold_after{};
  /// The same seed, given the same pieces, makes the same delays and flips the same bit.
  uint64_t seed = 1;
};

/// Keeps at most what is under way on such a line, by rate and delay (1 Gbit/s where there is no limit), and 1 MiB.
class fault_line {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr time_point never = time_point::max();

  explicit fault_line(const line_settings& settings);

  /// Bytes that may be put in now; to be asked before they are read.
  size_t room() const;
  void put(std::span<const char> bytes, time_point now);
  /// Nothing follows: told at the other end in its turn.
  void end(time_point now);

  /// The next bytes that have arrived, not all of them perhaps; empty if there are none.
  std::span<const char> arrived(time_point now) const;
  /// So many of them were passed on.
  void taken(size_t count);
  /// All bytes were taken, and the end has arrived.
  bool ended(time_point now) const;
  /// When more arrives if nothing is put in; never where it is held.
  time_point next_arrival(time_point now) const;

  /// Nothing comes out until it is released: as on a network that lost its way, bytes wait and none are lost.
  void hold() { held_ = true; }
  /// Also what `hold_after` held.
  void release();

  /// Bytes that came out.
  uint64_t passed() const { return passed_; }

 private:
  struct piece {
    time_point arrival;
    std::vector<char> bytes;
  };

  bool held() const { return held_ || (hold_after_ && passed_ >= *hold_after_); }
  time_point arrival_of(size_t count, time_point now);
  void flip(std::span<char> bytes) const;

  line_settings settings_;
  std::optional<uint64_t> hold_after_;
  bool held_ = false;
  size_t capacity_;
  size_t piece_bytes_;  // put on the line at once
  std::deque<piece> pieces_;
  size_t front_taken_ = 0;  // of the first piece
  size_t waiting_ = 0;      // bytes in all pieces, but for those taken
  uint64_t entered_ = 0, passed_ = 0;
  time_point line_free_{};  // when the last byte has left the near end
  time_point last_arrival_{};
  std::optional<time_point> end_;
};

}  // namespace corolla::runtime
