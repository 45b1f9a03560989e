// What is said of servers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "actors/wire/body_parts.hpp"

namespace corolla::actors::wire {

/// A signed record, encoded.
inline constexpr uint32_t max_record_bytes = 3584;

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

/// DRAIN, stream 0, from an admin: leave, once all sessions have found another server.
struct drain_body {
  uint64_t tag = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag);
  }
  bool operator==(const drain_body&) const = default;
};
/// DRAIN REPLY, stream 0: so many sessions are still to move; or no, and why.
struct drain_reply_body {
  uint64_t tag = 0;
  wire_flag done;
  uint32_t sessions = 0;
  wire_errc code;
  wire_text text;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag, done, sessions, code, text);
  }
  bool operator==(const drain_reply_body&) const = default;
};

/// The way between the record's owner and another server: a round trip, and how fast large messages came from there (0:
/// not known).
struct ping_body {
  wire_peer peer;
  uint32_t round_trip_us = 0;
  float bytes_per_s = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(peer, round_trip_us, bytes_per_s);
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
  bounded_vector<bounded_string<64>, 4> adapters;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(version, seq, lifetime_ms, state, addresses, model_name, model, blocks_digest, model_blocks, begin, end, dtype,
       cache_tokens, free_tokens, steps_per_s, forward_per_s, load, numerics, pings, software, adapters);
  }
  bool operator==(const announcement_body&) const = default;
};

}  // namespace corolla::actors::wire
