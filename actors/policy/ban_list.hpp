// Which servers a client leaves alone for a while, since they fell silent or failed it.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace corolla::actors::policy {

/// The bytes of a peer id.
using peer_key = std::array<uint8_t, 32>;

struct ban_options {
  std::chrono::milliseconds first = std::chrono::seconds{15};
  std::chrono::milliseconds longest = std::chrono::hours{1};
  /// Offences of a server within so long of the one that counted are the same event: all sessions that run through a
  /// server lose it together.
  std::chrono::milliseconds same_event = std::chrono::seconds{1};
  /// So long after its ban ended a server is as good as one that never failed.
  std::chrono::milliseconds memory = std::chrono::hours{1};
  /// Servers remembered; beyond them the one whose ban ends first is forgotten.
  size_t max_servers = 1024;
};

/// A server is banned for `first`, and for twice as long at each further offence with no success between, up to
/// `longest`.  Only what this client met itself is an offence (silence, an error of the server's own), never what
/// others say, nor a server's being full.  A ban is advice: a planner may pass over it where nobody else holds a block.
///
/// No clock of its own: times come from the caller and do not go back.  Not thread-safe.
class ban_list {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit ban_list(ban_options options = {}) : options_(options) {}

  void offence(const peer_key& who, time_point now);
  /// It did what it was asked: its ban ends, and its offences are forgotten.
  void success(const peer_key& who);

  bool banned(const peer_key& who, time_point now) const { return banned_until(who, now).has_value(); }
  /// Nothing where it is not banned at `now`.
  std::optional<time_point> banned_until(const peer_key& who, time_point now) const;
  /// All that are banned at `now`.
  std::vector<peer_key> all_banned(time_point now) const;

  /// Servers remembered, banned or not.
  size_t size() const { return offenders_.size(); }

 private:
  struct offender {
    uint32_t count = 0;  ///< of offences since the last success
    time_point last;     ///< when the latest one counted
    time_point until;
  };

  void forget_old(time_point now);
  time_point::duration length_of(uint32_t count) const;

  ban_options options_;
  std::map<peer_key, offender> offenders_;
};

}  // namespace corolla::actors::policy
