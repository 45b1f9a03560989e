// One connection to one peer: framing, TLS, priorities, flow control and liveness, over a CAF broker.  What the frames
// mean is peer.hpp's business.  The link is an interface: tests/support/memory_link is its second implementation.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actors/protocol.hpp"
#include "actors/wire/traffic.hpp"
#include "crypto/tls.hpp"

namespace corolla::actors::wire {

struct link_status {
  link_info info;
  traffic counters;
  std::chrono::microseconds round_trip{0};  ///< of the last ping; 0: none yet
  size_t largest_read = 0;                  ///< bytes that came at once
};

using frame_atom = caf::atom_constant<caf::atom("frame")>;
using consumed_atom = caf::atom_constant<caf::atom("consumed")>;
using ended_atom = caf::atom_constant<caf::atom("ended")>;
using actors::ping_atom;

/// FRAME SINK: the owner of a link: hears every message, in the order in which they were completed.  What it does not
/// report as consumed keeps its stream's credit.  The link ends when its owner does.
using frame_sink_actor = caf::typed_actor<
    caf::reacts_to<frame_atom, incoming>,
    // The peer ended a stream: nothing more comes on it, and what was queued on it fails with cancelled.  The link
    // confirms by itself, once all of it has been consumed.
    caf::reacts_to<ended_atom, uint64_t>>;

/// LINK.  Ends with the reason for which it, or the peer, said goodbye, with link_lost, or, where it never came up,
/// with unreachable, wrong_peer, not_a_member, version_mismatch, …
using link_actor = caf::typed_actor<
    // Answers when the last byte went out under credit (of a message without payload: when it is queued).  Fails with
    // overloaded (the queue, or the number of open streams, is at its limit), link_lost, bad_request, too_large,
    // protocol_violation (a stream that has ended), cancelled (the peer ended the stream).
    caf::replies_to<frame_atom, outgoing>::with<taken>,
    // So many payload bytes of a stream have been taken by who they were for: credit goes back to the peer.
    caf::reacts_to<consumed_atom, uint64_t, uint32_t>,
    // Pings the peer.
    caf::replies_to<ping_atom>::with<link_quality>, caf::replies_to<status_atom>::with<link_status>,
    // Goodbye with a reason and a sentence, behind what can be sent without waiting for the peer; within 500 ms the
    // socket is shut down.
    caf::reacts_to<close_atom, errc, std::string>>;

/// What a node says of itself in its hello, and how it judges others.  Shared by all links of a node; immutable.
struct link_config {
  std::shared_ptr<const crypto::tls_context> tls;
  peer_id self;
  bool is_server = false;
  std::string software;
  std::string model_name;
  model::digest model{};
  /// Encoded membership certificate; empty where there is none.
  std::vector<uint8_t> certificate;
  /// Judges the peer's certificate (as the hello carried it, maybe empty); fills `info.roles`.  Called in the I/O
  /// thread. Empty: everybody is admitted, without a role.
  std::function<std::optional<refusal>(std::span<const uint8_t> certificate, link_info& info)> judge;
  std::chrono::milliseconds silence = limits::default_silence;
  /// For the handshake and the hello together.
  std::chrono::milliseconds unproved_time = limits::unproved_time;
  /// Of this process, so that peers tell two with the same identity apart; 0: it says none.
  uint64_t instance = 0;
  uint16_t min_version = 1;
  uint16_t max_version = 1;
  size_t outbound_ceiling = limits::outbound_ceiling_bytes;
  bool allow_bench = false;
};

/// Makes the owner of a link once the hello was accepted, in the I/O thread, before any message is delivered.
using make_owner = std::function<frame_sink_actor(const link_actor& link, const link_info& info)>;

struct link_start {
  int socket = -1;  ///< connected; the link owns it
  bool dialled = false;
  /// Whom we dialled: any other peer is refused with wrong_peer.  nullopt: whoever it is.
  std::optional<peer_id> expected;
  std::string remote;  ///< how the other end is called in link_info; empty: "HOST:PORT" as the socket sees it
  std::shared_ptr<const link_config> config;
  make_owner owner;
};

/// Whoever wants to know how the handshake ends monitors the link: either `owner` is called, or the link ends with the
/// reason, also for a monitor that comes later.
link_actor spawn_link(caf::actor_system& system, link_start start);

}  // namespace corolla::actors::wire

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::wire::outgoing)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::wire::incoming)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::wire::link_status)
