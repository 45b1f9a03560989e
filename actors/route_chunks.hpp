// How one request to a route becomes steps: a prompt is cut into chunks that follow each other down the chain, and
// their outputs are put together again.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "actors/protocol.hpp"

namespace corolla::actors {

/// One forward request under way.  No I/O: the route actor sends what `next` gives and hands in what comes back.
class chunked_forward {
 public:
  /// `first_seq`: of its first step.  `alone`: it truncates or reorders, so its first step must be done before the
  /// second goes.
  chunked_forward(forward_request request, uint32_t chunk_tokens, bool pipeline, bool alone, uint64_t first_seq);

  /// The next step to send, if one may go now; `done` is the highest seq whose output has come.
  std::optional<step> next(uint64_t done);
  /// Takes the output of the next seq in order.
  void take(model::tensor output);
  /// Tokens of the step with this seq.
  uint32_t tokens_of(uint64_t seq) const;
  /// It truncates or reorders.
  bool is_alone() const { return alone_; }
  bool complete() const { return outputs_.size() == num_chunks_; }
  /// The outputs joined.  Once complete.
  forward_reply reply() const;

  uint64_t first_seq() const { return first_seq_; }
  uint64_t last_seq() const { return first_seq_ + num_chunks_ - 1; }
  /// Position after the request.
  uint32_t end() const { return request_.position + static_cast<uint32_t>(request_.hidden.dim(1)); }
  /// True for steps of one token: those whose times say how fast a hop decodes.
  bool is_decode() const { return request_.hidden.dim(1) == 1; }

 private:
  forward_request request_;
  uint32_t chunk_tokens_;
  bool pipeline_;
  bool alone_;
  uint64_t first_seq_;
  uint64_t num_chunks_;
  uint64_t sent_ = 0;
  std::vector<model::tensor> outputs_;
};

}  // namespace corolla::actors
