// What crosses a network: one plain struct for each message, made of bounded parts.  Bodies travel in cereal's portable
// binary (little-endian, one leading byte that says so) and must be consumed exactly.  The frame types are in
// frame.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actors/errc.hpp"
#include "actors/ids.hpp"
#include "actors/wire/bounded.hpp"
#include "actors/wire/limits.hpp"
#include "crypto/signed_record.hpp"
#include "model/block_range.hpp"
#include "model/tensor.hpp"

namespace corolla::actors::wire {

using wire_errc = checked_enum<errc, first_errc, last_errc>;
using wire_dtype = checked_enum<model::dtype, model::dtype::float32, model::dtype::float16>;
using wire_rows = checked_enum<rows_wanted, rows_wanted::none, rows_wanted::all>;
using wire_text = bounded_string<512>;
using wire_id = fixed_bytes<16>;
using wire_peer = fixed_bytes<32>;
using wire_digest = fixed_bytes<32>;

using wire_flag = checked_enum<uint8_t, 0, 1>;

/// OPEN, first on a new stream, from the client: asks a server for a session over `begin:end`.
struct open_body {
  wire_id session;
  wire_digest model, blocks_digest;
  uint32_t begin = 0, end = 0;
  wire_dtype dtype;
  uint32_t batch = 0;             ///< rows; at most limits::session_batch
  uint32_t max_length = 0;        ///< tokens; at most limits::session_length
  uint32_t alloc_timeout_ms = 0;  ///< at most limits::alloc_timeout
  uint64_t epoch = 0;
  wire_peer upstream, next;
  wire_id next_session;
  uint64_t done = 0;  ///< the session begins after this step
  wire_flag restoring, next_restoring;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(session, model, blocks_digest, begin, end, dtype, batch, max_length, alloc_timeout_ms, epoch, upstream, next,
       next_session, done, restoring, next_restoring);
  }
  bool operator==(const open_body&) const = default;
};

/// OPENED, on the stream of OPEN: the session is there, and the link to its next hop is up.
struct opened_body {
  wire_id session;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(session);
  }
  bool operator==(const opened_body&) const = default;
};

/// REFUSED: the answer no, on the stream of what was asked (stream 0: a RECORD).
struct refused_body {
  wire_errc code;
  wire_text text;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(code, text);
  }
  bool operator==(const refused_body&) const = default;
};

/// CLOSE, on the stream of OPEN, from the client: ends the session.
struct close_body {
  template <class Archive>
  void serialize(Archive&) {}
  bool operator==(const close_body&) const = default;
};

/// APPLIED, on the stream of OPEN, to the client: the hop has computed and forwarded step `seq` in `micros`, and
/// all before it.
struct applied_body {
  uint64_t seq = 0;
  uint32_t micros = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(seq, micros);
  }
  bool operator==(const applied_body&) const = default;
};

/// FAILED, on the stream of OPEN, to the client: the session ended by itself.
struct failed_body {
  wire_errc code;
  wire_text text;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(code, text);
  }
  bool operator==(const failed_body&) const = default;
};

/// ACCEPT, on the stream of OPEN, from the client: steps come from `upstream` with this epoch, and no more with an
/// older one.  Answered by ANSWER with the same tag, as are RESTORE and RELINK.
struct accept_body {
  uint64_t tag = 0, epoch = 0;
  wire_peer upstream;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag, epoch, upstream);
  }
  bool operator==(const accept_body&) const = default;
};

/// RESTORE and RELINK, on the stream of OPEN, from the client: another edge.  `seq`: the step whose state is restored,
/// or the one after which steps go there.
struct edge_body {
  uint64_t tag = 0, epoch = 0;
  wire_peer next;
  wire_id next_session;
  uint64_t seq = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag, epoch, next, next_session, seq);
  }
  bool operator==(const edge_body&) const = default;
};

/// ANSWER, on the stream of OPEN, to the client: it was done (with `last` and `position` for ACCEPT), or not, and why.
struct answer_body {
  uint64_t tag = 0;
  wire_flag done;
  uint64_t last = 0;
  uint32_t position = 0;
  wire_errc code;
  wire_text text;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag, done, last, position, code, text);
  }
  bool operator==(const answer_body&) const = default;
};

/// RESTORED, on the stream of OPEN, to the client: a substitute has computed all rows, and takes steps.
struct restored_body {
  uint64_t epoch = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(epoch);
  }
  bool operator==(const restored_body&) const = default;
};

/// EDGE LOST, on the stream of OPEN, to the client: nothing more can go by the edge of this epoch.
struct edge_lost_body {
  uint64_t epoch = 0;
  wire_errc code;
  wire_text text;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(epoch, code, text);
  }
  bool operator==(const edge_lost_body&) const = default;
};

/// STATUS, on the stream of OPEN, from the client; answered by STATUS REPLY, in order.
struct status_body {
  template <class Archive>
  void serialize(Archive&) {}
  bool operator==(const status_body&) const = default;
};
struct status_reply_body {
  uint32_t begin = 0, end = 0;
  uint64_t epoch = 0, last = 0, steps = 0;
  uint32_t position = 0, restored = 0;
  uint64_t dropped = 0, log_bytes = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(begin, end, epoch, last, steps, position, restored, dropped, log_bytes);
  }
  bool operator==(const status_reply_body&) const = default;
};

/// ATTACH, first on a new stream, from the upstream: steps for this session follow.
struct attach_body {
  wire_id session;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(session);
  }
  bool operator==(const attach_body&) const = default;
};

/// STEP, on the stream of ATTACH, with the tensor [batch, tokens, hidden] as its data.  One that restores brings rows
/// of a lost hop, `until` tokens in all.
struct step_body {
  uint64_t epoch = 0, seq = 0, done = 0;
  uint32_t position = 0;
  wire_rows wanted;
  wire_dtype dtype;
  uint32_t batch = 0, tokens = 0, hidden = 0;
  bounded_vector<uint32_t, limits::session_batch> hypo_ids;
  wire_flag restores;
  uint32_t until = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(epoch, seq, done, position, wanted, dtype, batch, tokens, hidden, hypo_ids, restores, until);
  }
  bool operator==(const step_body&) const = default;
};

/// STEP REFUSED, on the stream of ATTACH, back to the upstream.
struct step_refused_body {
  uint64_t seq = 0, last = 0;
  wire_errc code;
  wire_text text;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(seq, last, code, text);
  }
  bool operator==(const step_refused_body&) const = default;
};

/// A signed record, encoded.
inline constexpr uint32_t max_record_bytes = 3072;

/// RECORD, stream 0: a server's signed announcement and how long it has been under way.  `tag` comes back in the
/// answer.
struct record_body {
  uint64_t tag = 0;
  uint32_t age_ms = 0;
  bounded_vector<std::byte, max_record_bytes> record;  ///< crypto::signed_record, encoded
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag, age_ms, record);
  }
  bool operator==(const record_body&) const = default;
};

/// RECORD TAKEN, stream 0: the record with this tag was taken (or was known).
struct record_taken_body {
  uint64_t tag = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag);
  }
  bool operator==(const record_taken_body&) const = default;
};

/// SNAPSHOT, stream 0: asks for all records.  They come as RECORDs with tag 0, then SNAPSHOT END.
struct snapshot_body {
  template <class Archive>
  void serialize(Archive&) {}
  bool operator==(const snapshot_body&) const = default;
};
struct snapshot_end_body {
  template <class Archive>
  void serialize(Archive&) {}
  bool operator==(const snapshot_end_body&) const = default;
};

/// A suspicion, encoded.
inline constexpr uint32_t max_suspicion_bytes = 256;

/// SUSPECT, stream 0: a signed suspicion.
struct suspect_body {
  bounded_vector<std::byte, max_suspicion_bytes> suspicion;  ///< crypto::signed_record, encoded
  template <class Archive>
  void serialize(Archive& ar) {
    ar(suspicion);
  }
  bool operator==(const suspect_body&) const = default;
};

/// What a suspicion's payload holds: the server, and the last record of it that the signer has.
struct suspicion_body {
  uint8_t version = 1;
  wire_peer suspect;
  uint64_t seq = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(version, suspect, seq);
  }
  bool operator==(const suspicion_body&) const = default;
};

struct digest_entry_body {
  fixed_bytes<16> owner;  ///< first half of the peer id
  uint64_t seq = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(owner, seq);
  }
  bool operator==(const digest_entry_body&) const = default;
};

/// DIGEST, stream 0: all that the sender holds of the owners from `first` to `last`.  What it lacks comes as RECORDs
/// and SUSPECTs; then, unless the tag is 0, DIGEST DONE with it.
struct digest_body {
  uint64_t tag = 0;
  fixed_bytes<16> first, last;
  bounded_vector<digest_entry_body, 160> entries;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag, first, last, entries);
  }
  bool operator==(const digest_body&) const = default;
};
struct digest_done_body {
  uint64_t tag = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag);
  }
  bool operator==(const digest_done_body&) const = default;
};

/// A round trip from the record's owner to another server.
struct ping_body {
  wire_peer peer;
  uint32_t round_trip_us = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(peer, round_trip_us);
  }
  bool operator==(const ping_body&) const = default;
};

/// What a record's payload holds: signed, so it has the same layout for ever (new fields come behind, in a new
/// version).
struct announcement_body {
  uint8_t version = 1;
  uint64_t seq = 0;
  uint32_t lifetime_ms = 0;
  checked_enum<uint8_t, 1, 4> state;
  bounded_vector<bounded_string<300>, 4> addresses;
  bounded_string<128> model_name;
  wire_digest model, blocks_digest;
  uint32_t model_blocks = 0, begin = 0, end = 0;
  wire_dtype dtype;
  uint64_t cache_tokens = 0, free_tokens = 0;
  float steps_per_s = 0, forward_per_s = 0, load = 0;
  bounded_string<16> numerics;
  bounded_vector<ping_body, 32> pings;
  bounded_string<64> software;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(version, seq, lifetime_ms, state, addresses, model_name, model, blocks_digest, model_blocks, begin, end, dtype,
       cache_tokens, free_tokens, steps_per_s, forward_per_s, load, numerics, pings, software);
  }
  bool operator==(const announcement_body&) const = default;
};

/// The bytes of a body.  Throws `malformed` if a part is beyond its limit: a mistake of this side.
template <class Body>
std::vector<std::byte> encode_body(const Body& body);
/// nullopt unless the bytes are exactly one such body.
template <class Body>
std::optional<Body> decode_body(std::span<const std::byte> bytes);

}  // namespace corolla::actors::wire
