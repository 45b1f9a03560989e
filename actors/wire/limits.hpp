// Every limit of the wire, on one page.  What is beyond one ends the link (or the request) before it is read or
// allocated.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace corolla::actors::wire::limits {

using namespace std::chrono_literals;

inline constexpr size_t frame_header_bytes = 16;
/// Body of a frame that carries no tensor data.
inline constexpr uint32_t body_bytes = 4096;
/// Tensor data in one frame; also the credit that each open stream has set aside.
inline constexpr uint32_t chunk_bytes = 256 * 1024;
/// Tensor data of one message.
inline constexpr uint32_t payload_bytes = 64 * 1024 * 1024;
/// A hello's map, in all.
inline constexpr size_t hello_entries = 32;
inline constexpr size_t hello_key_bytes = 16;
/// Streams that each side may have open on a link at a time.
inline constexpr uint32_t open_streams = 256;
/// Tensor data that a link lends to messages larger than the credit of their stream.
inline constexpr size_t lent_bytes = 2 * size_t{payload_bytes};
/// Bytes that a link keeps for what its peer sent and nobody has taken yet: a chunk for each stream, and what is lent.
inline constexpr size_t inbound_ceiling_bytes = 2 * size_t{open_streams} * chunk_bytes + lent_bytes;
/// Bytes that a link keeps queued towards its peer; beyond it whoever sends gets errc::overloaded.
inline constexpr size_t outbound_ceiling_bytes = 256 * 1024 * 1024;
/// Answers that a link itself owes its peer (pongs, credit, ends): a peer that asks for more does not read them.
inline constexpr size_t owed_bytes = 1024 * 1024;
/// Frames shorter than `body_bytes` that a peer may send in a second, on average over ten.
inline constexpr uint32_t small_frames_per_second = 20'000;
/// Largest piece of tensor data that is sent at a time: what is more urgent waits for one at the most.
inline constexpr uint32_t piece_bytes = 64 * 1024;
/// Pings that may be under way at a time.
inline constexpr size_t pings = 16;

/// Before a peer has proved its id and its hello was accepted.
inline constexpr size_t unproved_read_bytes = 4096;
inline constexpr size_t unproved_total_bytes = 64 * 1024;
inline constexpr auto unproved_time = 5s;
inline constexpr uint32_t unproved_per_address = 64;
inline constexpr uint32_t unproved_in_all = 256;

/// A session.
inline constexpr uint32_t session_length = 1u << 20;  // tokens
inline constexpr uint32_t session_batch = 64;         // rows
inline constexpr uint32_t untaken_steps = 4;
/// Sessions that a node tells of, and those of them in one frame.
inline constexpr uint32_t listed_sessions = 256;
inline constexpr uint32_t sessions_in_frame = 24;
inline constexpr auto alloc_timeout = 10min;

inline constexpr auto goodbye_time = 500ms;
inline constexpr size_t goodbye_text_bytes = 512;
inline constexpr auto default_silence = 5s;

}  // namespace corolla::actors::wire::limits
