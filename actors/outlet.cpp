#include "actors/outlet.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>
#include <vector>

#include "actors/wire/limits.hpp"

namespace corolla::actors {
namespace {

/// Rows are restored in steps of so many tokens, as long as such a step is no larger than so many bytes: enough for the
/// speed of a prompt, and little enough for several hops to work at the same time.
constexpr uint32_t restored_tokens = 64;
constexpr uint64_t restored_bytes = 4u << 20;

// A copy of the first tokens: a slice would keep all of them alive.
sent_rows first_tokens(const sent_rows& rows, uint32_t tokens) {
  const auto part = rows.hidden.slice(1, 0, tokens);
  const auto bytes = part.bytes();
  return {model::tensor{part.type(), part.dims(), {bytes.begin(), bytes.end()}}, rows.wanted};
}

uint64_t bytes_per_token(const model::tensor& rows) {
  return static_cast<uint64_t>(rows.dim(0)) * static_cast<uint64_t>(rows.dim(2)) * model::size_of(rows.type());
}

/// Positions [begin, end) of what is to be restored, [B, end - begin, C], in the order that the batch has today.
model::tensor join(const std::vector<sent_log::piece>& pieces, uint32_t begin, uint32_t end) {
  const auto& first = pieces.front().rows->hidden;
  const auto batch = static_cast<size_t>(first.dim(0));
  const auto row = static_cast<size_t>(bytes_per_token(first)) / batch;
  const size_t tokens = end - begin;
  std::vector<std::byte> joined(batch * tokens * row);
  for (const auto& piece : pieces) {
    const auto from = std::max(piece.position, begin), to = std::min(piece.position + piece.tokens, end);
    if (from >= to) continue;
    const auto source = piece.rows->hidden.bytes();
    const auto stride = static_cast<size_t>(piece.rows->hidden.dim(1)) * row;
    for (size_t b = 0; b < batch; ++b) {
      const size_t was = piece.order.empty() ? b : piece.order[b];
      std::memcpy(
          &joined[(b * tokens + (from - begin)) * row], &source[was * stride + (from - piece.position) * row],
          (to - from) * row);
    }
  }
  return {first.type(), {first.dim(0), static_cast<int64_t>(tokens), first.dim(2)}, std::move(joined)};
}

}  // namespace

sent_log make_sent_log(uint64_t room, bool keep_done) {
  return {policy::output_log_options{room, keep_done}, first_tokens};
}

sent_log::entry entry_of(const step& s) {
  return {s.seq,      s.position,           static_cast<uint32_t>(s.hidden.dim(1)),
          s.hypo_ids, {s.hidden, s.wanted}, s.hidden.bytes().size()};
}

std::optional<model::tensor> rows_after(const sent_log& log, uint64_t done, uint32_t begin, uint32_t end) {
  const auto pieces = log.restore(done);
  if (!pieces || pieces->empty() || pieces->back().position + pieces->back().tokens < end) return std::nullopt;
  return join(*pieces, begin, end);
}

void outlet::restore(uint64_t done, std::optional<uint32_t> until) {
  restoring_ = restoring{done, until, 0};
}

void outlet::restore_until(uint32_t until) {
  if (restoring_) restoring_->until = until;
}

std::optional<step> outlet::next(const sent_log& log) {
  if (!edge || untaken_ >= wire::limits::untaken_steps) return std::nullopt;
  if (restoring_) return next_rows(log);
  const auto* entry = next_seq_ == 0 ? nullptr : log.find(next_seq_);
  if (entry == nullptr) return std::nullopt;
  ++next_seq_;
  ++untaken_;
  step s;
  s.epoch = to_.epoch;
  s.seq = entry->seq;
  s.done = log.done();
  s.position = entry->position;
  s.wanted = entry->rows.wanted;
  s.hypo_ids = entry->order;
  s.hidden = entry->rows.hidden;
  return s;
}

std::optional<step> outlet::next_rows(const sent_log& log) {
  auto& state = *restoring_;
  const auto pieces = log.restore(state.done);
  if (!state.until || !pieces || pieces->empty()) return std::nullopt;
  const auto there = std::min(pieces->back().position + pieces->back().tokens, *state.until);
  if (there == state.sent) return std::nullopt;
  const auto fit = restored_bytes / std::max<uint64_t>(bytes_per_token(pieces->front().rows->hidden), 1);
  const auto most = static_cast<uint32_t>(std::clamp<uint64_t>(fit, 1, restored_tokens));
  const auto end = std::min(there, state.sent + most);
  step s;
  s.epoch = to_.epoch;
  s.seq = s.done = state.done;
  s.position = state.sent;
  s.wanted = rows_wanted::all;
  s.restores = restored_part::rows;
  s.until = *state.until;
  s.hidden = join(*pieces, state.sent, end);
  state.sent = end;
  if (end == s.until) restoring_.reset();
  ++untaken_;
  return s;
}

bool outlet::rewind(uint64_t last) {
  if (restoring_ || last + 1 <= rewound_to_ || last + 1 > next_seq_) return false;
  rewound_to_ = next_seq_ = last + 1;
  return true;
}

}  // namespace corolla::actors
