#include "actors/route_chunks.hpp"

#include <algorithm>

namespace corolla::actors {

chunked_forward::chunked_forward(
    forward_request request, uint32_t chunk_tokens, bool pipeline, bool alone, uint64_t first_seq)
    : request_(std::move(request)),
      chunk_tokens_(std::max(chunk_tokens, 1u)),
      pipeline_(pipeline),
      alone_(alone),
      first_seq_(first_seq) {
  auto T = static_cast<uint64_t>(request_.hidden.dim(1));
  num_chunks_ = std::max<uint64_t>(1, (T + chunk_tokens_ - 1) / chunk_tokens_);  // T = 0 is a step too
}

std::optional<step> chunked_forward::next(uint64_t done) {
  if (sent_ == num_chunks_) return std::nullopt;
  bool waits_for_last = !pipeline_ || (alone_ && sent_ == 1);
  if (waits_for_last && done + 1 < first_seq_ + sent_) return std::nullopt;
  auto T = request_.hidden.dim(1);
  auto begin = static_cast<int64_t>(sent_) * chunk_tokens_;
  auto end = std::min<int64_t>(T, begin + chunk_tokens_);
  step s;
  s.seq = first_seq_ + sent_;
  s.done = done;
  s.position = request_.position + static_cast<uint32_t>(begin);
  s.hidden = request_.hidden.slice(1, begin, end);
  if (sent_ == 0) s.hypo_ids = request_.hypo_ids;
  bool is_last = sent_ + 1 == num_chunks_;
  s.wanted = request_.wanted == rows_wanted::last && !is_last ? rows_wanted::none : request_.wanted;
  ++sent_;
  return s;
}

uint32_t chunked_forward::tokens_of(uint64_t seq) const {
  const auto T = static_cast<uint64_t>(request_.hidden.dim(1)), begin = (seq - first_seq_) * chunk_tokens_;
  return static_cast<uint32_t>(std::min<uint64_t>(T - begin, chunk_tokens_));
}

void chunked_forward::take(model::tensor output) {
  outputs_.push_back(std::move(output));
}

forward_reply chunked_forward::reply() const {
  if (request_.wanted == rows_wanted::last) return {outputs_.back()};
  return {model::concat(outputs_, 1)};
}

}  // namespace corolla::actors
