// What is said of sessions and their steps.
#pragma once

#include <cstddef>
#include <cstdint>

#include "actors/wire/body_parts.hpp"

namespace corolla::actors::wire {

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
  wire_peer restorer;
  uint32_t prompt_tokens = 0;  ///< of the deep prompts that PROMPTS will bring; 0: none
  template <class Archive>
  void serialize(Archive& ar) {
    ar(session, model, blocks_digest, begin, end, dtype, batch, max_length, alloc_timeout_ms, epoch, upstream, next,
       next_session, done, restoring, next_restoring, restorer, prompt_tokens);
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
/// older one.  Answered by ANSWER with the same tag, as are RESTORE, RELINK, PREPARE and HAND OVER.
struct accept_body {
  uint64_t tag = 0, epoch = 0;
  wire_peer upstream;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag, epoch, upstream);
  }
  bool operator==(const accept_body&) const = default;
};

/// RESTORE, RELINK and PREPARE, on the stream of OPEN, from the client: another edge.  `seq`: the step whose state is
/// restored, or the one after which steps go there; 0 for PREPARE.
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

/// HAND OVER, on the stream of OPEN, from the client: the state after step `seq`, of so many tokens, goes to a
/// substitute.
struct hand_over_body {
  edge_body edge;
  uint32_t tokens = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(edge, tokens);
  }
  bool operator==(const hand_over_body&) const = default;
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

/// PROMPTS, on the stream of OPEN, from the client, with the tensor [blocks, tokens, hidden] as its data: deep prompts,
/// once, behind OPENED and before any step.  Answered by ANSWER.
struct prompts_body {
  uint64_t tag = 0;
  wire_dtype dtype;
  uint32_t blocks = 0, tokens = 0, hidden = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag, dtype, blocks, tokens, hidden);
  }
  bool operator==(const prompts_body&) const = default;
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

/// LEAVING, on the stream of OPEN, to the client: the server is about to leave.
struct leaving_body {
  template <class Archive>
  void serialize(Archive&) {}
  bool operator==(const leaving_body&) const = default;
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
  wire_flag restoring;
  uint64_t client_bytes = 0, server_bytes = 0;
  uint32_t age_ms = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(begin, end, epoch, last, steps, position, restored, dropped, log_bytes, restoring, client_bytes, server_bytes,
       age_ms);
  }
  bool operator==(const status_reply_body&) const = default;
};

/// SESSIONS, stream 0, from an admin: asks for the status of all sessions.
struct sessions_body {
  uint64_t tag = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag);
  }
  bool operator==(const sessions_body&) const = default;
};
struct listed_session_body {
  wire_id session;
  wire_peer client;
  status_reply_body status;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(session, client, status);
  }
  bool operator==(const listed_session_body&) const = default;
};
/// SESSIONS REPLY, stream 0: some of them, of so many that there are, and whether more come; or no, and why.
struct sessions_reply_body {
  uint64_t tag = 0;
  wire_flag done, more;
  uint32_t total = 0;
  bounded_vector<listed_session_body, limits::sessions_in_frame> sessions;
  wire_errc code;
  wire_text text;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(tag, done, more, total, sessions, code, text);
  }
  bool operator==(const sessions_reply_body&) const = default;
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

using wire_part = checked_enum<restored_part, restored_part::none, restored_part::outputs>;

/// STEP, on the stream of ATTACH, with the tensor [batch, tokens, hidden] as its data.  One that restores brings what a
/// hop had that is lost or leaves, `until` tokens in all; keys and values are those of `block`.
struct step_body {
  uint64_t epoch = 0, seq = 0, done = 0;
  uint32_t position = 0;
  wire_rows wanted;
  wire_dtype dtype;
  uint32_t batch = 0, tokens = 0, hidden = 0;
  bounded_vector<uint32_t, limits::session_batch> hypo_ids;
  wire_part restores;
  uint32_t until = 0, block = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(epoch, seq, done, position, wanted, dtype, batch, tokens, hidden, hypo_ids, restores, until, block);
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

}  // namespace corolla::actors::wire
