// What a node believes of its neighbours' talk: which records it takes, how long it keeps them, whose suspicions it
// looks into, and what a neighbour lacks.  Plain bookkeeping: time is passed in, and what a record says is its holder's
// business.  Everything that strangers can fill has a bound.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "actors/policy/digest.hpp"

namespace corolla::actors::policy {

using gossip_time = std::chrono::steady_clock::time_point;

struct gossip_limits {
  size_t records = 4096;
  size_t tombstones = 8192;
  /// A record lives so long at the most, whatever it says.
  std::chrono::milliseconds longest_life = std::chrono::minutes{10};
  /// One owner's records: so many at once, and so many a second on average.
  double owner_burst = 16;
  double owner_per_s = 2;
  /// One neighbour's suspicions, its own and those that it passes on, within `neighbour_window`.
  uint32_t neighbour_suspicions = 256;
  std::chrono::milliseconds neighbour_window = std::chrono::seconds{10};
  /// The same suspicion is looked into once within this time.
  std::chrono::milliseconds suspicion_pause = std::chrono::seconds{10};
  /// Suspects that are looked into at a time.
  size_t probes = 64;
};

/// A record as it came.
struct heard_record {
  gossip_id owner{};
  uint64_t seq = 0;
  std::chrono::milliseconds lifetime{0};
  std::chrono::milliseconds age{0};  ///< how long it has been under way
};

/// That a server is gone, which record of it was the last, and from which neighbour this came.
struct heard_suspicion {
  gossip_id owner{};
  uint64_t seq = 0;
  gossip_id from{};
};

/// What becomes of a record.
enum class record_verdict {
  taken,
  known,     ///< this one or a newer one is held
  buried,    ///< it expired, was withdrawn or was found dead before
  too_old,   ///< its life was over when it came
  too_fast,  ///< its owner makes more than a node takes
  full       ///< there is room for no other owner
};

/// What becomes of a suspicion.
enum class suspicion_verdict {
  probe,     ///< held, and now to be looked into: `probed` must follow
  refute,    ///< it is this node that is suspected
  stale,     ///< nothing so old is held
  repeated,  ///< it is being looked into, or was a moment ago
  stranger,  ///< nobody answers for its signer
  too_many   ///< from this neighbour, or at a time
};

/// What a neighbour's digest shows that it should hear.
struct digest_lack {
  std::vector<gossip_id> records;                          ///< missing there, or older
  std::vector<std::pair<gossip_id, uint64_t>> suspicions;  ///< held there, and found dead here
};

/// One node's view.  Not for threads.
class gossip {
 public:
  explicit gossip(const gossip_id& self, const gossip_limits& limits = {}) : self_{self}, limits_{limits} {}

  /// The node's own records are taken whatever their rate.
  record_verdict take(const heard_record& record, gossip_time now);

  bool holds(const gossip_id& owner, uint64_t seq) const;
  size_t size() const { return records_.size(); }
  size_t tombstones() const { return tombstones_.size(); }
  /// It is remembered that this owner was found dead.
  bool found_dead(const gossip_id& owner) const;
  /// How long a record that is held has been under way by now; this is what it travels on with.
  std::chrono::milliseconds age(const gossip_id& owner, gossip_time now) const;

  /// Found dead: forgets the record and takes neither it nor an older one again for twice its life.  False where
  /// nothing of that number is held: a newer one came meanwhile.
  bool bury(const gossip_id& owner, uint64_t seq, gossip_time now);

  /// Forgets what has outlived its life; the owners of the records that went.
  std::vector<gossip_id> expire(gossip_time now);
  /// When `expire` has something to do at the earliest; time_point::max() where nothing is held.
  gossip_time next_expiry() const;

  /// `vouched`: the neighbour signed it itself, may pass others' on, or the signer is known here.
  suspicion_verdict judge(const heard_suspicion& suspicion, bool vouched, gossip_time now);
  /// A suspect has been looked into.
  void probed() { --probes_; }

  /// All that is held, in ranges that cover every id: one range without an entry where nothing is held.
  std::vector<digest_range> digest() const;
  digest_lack compare(const digest_range& theirs, gossip_time now) const;

 private:
  struct entry {
    uint64_t seq = 0;
    std::chrono::milliseconds lifetime{0};
    gossip_time born;   // on this node's clock, by the age it came with
    double tokens = 0;  // of its owner's rate
    gossip_time refilled;
    gossip_time ends() const { return born + lifetime; }
  };
  struct tombstone {
    uint64_t seq = 0;
    gossip_time forgotten;
    bool found_dead = false;
  };
  struct neighbour_use {
    gossip_time since;
    uint32_t count = 0;
  };

  void entomb(const gossip_id& owner, const entry& last, bool found_dead, gossip_time now);
  bool spend(entry& of, gossip_time now) const;

  gossip_id self_;
  gossip_limits limits_;
  std::map<gossip_id, entry> records_;
  std::map<gossip_id, tombstone> tombstones_;
  std::map<gossip_id, std::pair<uint64_t, gossip_time>> suspected_;  // the last that was looked into, by owner
  std::map<gossip_id, neighbour_use> neighbours_;
  size_t probes_ = 0;
};

/// The part of a record that changes all the time.
struct volatile_part {
  double load = 0;        ///< 0 to 1
  double free_share = 0;  ///< 0 to 1, of the cache
  std::map<gossip_id, std::chrono::microseconds> pings;
};
/// By a quarter: of the whole for shares, of the longer for times; or other servers are pinged.
bool moved_by_a_quarter(const volatile_part& before, const volatile_part& after);

/// When a node's own record goes out again.
class pacer {
 public:
  enum class change { none, moved, state };

  /// The record is not what went out last: with another state it goes at once, with moved figures in a while.
  void changed(change what, gossip_time now);
  /// Somebody says that this node is gone.
  void refute(gossip_time now);
  void sent(gossip_time now, std::chrono::milliseconds lifetime);
  /// Nothing goes out any more.
  void stop() { *this = {}; }
  /// Nothing goes out by itself before something was sent: time_point::max().
  gossip_time due() const { return due_; }

 private:
  static constexpr std::chrono::milliseconds moved_pause{2000};
  static constexpr std::chrono::milliseconds refute_pause{1000};

  gossip_time due_ = gossip_time::max();
  gossip_time last_{};
  gossip_time last_refuted_{};
  bool sent_ = false;
  bool refuting_ = false;
};

}  // namespace corolla::actors::policy
