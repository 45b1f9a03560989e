// What can go wrong between nodes.  Free of CAF, so that the wire can name an error without it.
#pragma once

#include <cstdint>
#include <string_view>

namespace corolla::actors {

/// Append only: the numbers travel.
enum class errc : uint8_t {
  /// A step begins beyond the session's position, or would end beyond its length.
  position_mismatch = 1,
  /// The cache, or the log, has no room for such a session; the text says how much is left.
  no_room = 2,
  /// No session has this id here.
  unknown_session = 3,
  /// The session is another peer's.
  not_yours = 4,
  /// From an older edge of the chain.
  stale = 5,
  /// A step is missing before this one; the sender sends again from `last + 1`.
  gap = 6,
  /// Shape or type does not fit.
  bad_tensor = 7,
  /// A NaN or an infinity.
  not_finite = 8,
  /// A length, batch or size beyond a limit; the text names both numbers.
  too_large = 9,
  /// The server holds other weights, or another model.
  model_mismatch = 10,
  /// The server does not hold these blocks.
  blocks_mismatch = 11,
  /// No address is known that this peer itself announced.
  unknown_peer = 12,
  /// Name resolution, connection or handshake failed.
  unreachable = 13,
  /// The peer proved another id than the one dialled.
  wrong_peer = 14,
  /// No protocol version in common.
  version_mismatch = 15,
  /// The swarm does not admit this peer.
  not_a_member = 16,
  /// Something that the protocol forbids.
  protocol_violation = 17,
  /// More is queued, open or asked for than a limit allows.
  overloaded = 18,
  /// The link to a peer ended.
  link_lost = 19,
  /// An answer did not come within its deadline.
  timed_out = 20,
  /// The node is ending.
  stopping = 21,
  /// The block failed while computing.
  compute_failed = 22,
  /// Blocks that no reachable server holds.
  missing_blocks = 23,
  /// The caller gave up.
  cancelled = 24,
  /// A request that makes no sense.
  bad_request = 25,
  /// Another connection with the same identity is up.
  duplicate_link = 26,
  /// The peer's role does not allow it.
  not_allowed = 27,
};
inline constexpr auto first_errc = errc::position_mismatch;
inline constexpr auto last_errc = errc::not_allowed;

/// "position_mismatch", ...
std::string_view to_string(errc code);

}  // namespace corolla::actors
