// Who may send how much tensor data: the receiver's books.  Each stream has a chunk set aside.  A message that is
// larger than its stream's credit is lent the rest, oldest first, out of one pool; credit comes back as data is taken.
// So what is granted never exceeds what was set aside and the pool, a begun message can always be finished, and the
// link never needs to stop reading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

namespace corolla::actors::wire {

struct grant {
  uint64_t stream = 0;
  uint32_t bytes = 0;
  bool operator==(const grant&) const = default;
};

class inbound_flow {
 public:
  /// `chunk` bytes are set aside for each stream; `pool` bytes are lent, which must cover the largest messages of a
  /// stream.
  inbound_flow(uint32_t chunk, size_t pool) : chunk_{chunk}, pool_{pool} {}

  void open(uint64_t stream);
  /// What is left of the stream counts as taken.
  void close(uint64_t stream);

  /// A message that carries so many bytes begins.
  void announce(uint64_t stream, uint32_t bytes);
  /// Bytes of a begun message came.  False: beyond the credit that was given.
  [[nodiscard]] bool receive(uint64_t stream, uint32_t bytes);
  /// A message of so many bytes is whole, and waits to be taken.
  void complete(uint64_t stream, uint32_t bytes);
  /// Bytes of whole messages were taken; more than there are count as all.
  void take(uint64_t stream, uint32_t bytes);

  /// What the peer is now to be told, each grant once.
  std::vector<grant> collect_grants();

  /// Received and not taken, of one stream and of all.
  size_t held(uint64_t stream) const;
  size_t held() const { return held_; }
  /// What the peer may send on a stream without asking.
  size_t allowance(uint64_t stream) const;
  /// Held, or granted and still to come, or about to be granted: never beyond a chunk for each stream and the pool.
  size_t committed() const;

 private:
  struct account {
    uint64_t allowance = 0;  // granted and not yet used
    uint64_t due = 0;        // taken, and to be granted again: kept until it is worth a frame
    uint64_t owed = 0;       // announced and not yet received
    uint64_t partial = 0;    // received of messages that are not whole
    uint64_t waiting = 0;    // whole and not taken
    uint64_t lent = 0;
    bool asking = false;
  };

  void settle(uint64_t stream, account& of);
  void lend();
  void give(uint64_t stream, account& to, uint64_t bytes);

  uint32_t chunk_;
  size_t pool_;
  size_t held_ = 0;
  std::unordered_map<uint64_t, account> accounts_;
  std::deque<uint64_t> borrowers_;
  std::vector<grant> grants_;
};

}  // namespace corolla::actors::wire
