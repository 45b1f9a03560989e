// A session that leaves gives what it holds to a substitute of the same blocks, which takes it over as it is: nothing
// is computed again.
#include <algorithm>

#include "actors/session_state.hpp"
#include "actors/wire/limits.hpp"

namespace corolla::actors::handing {
namespace {

/// Parts are of so many tokens, as long as none is larger than so many bytes: little enough that steps pass between.
constexpr uint32_t part_tokens = 256;
constexpr uint64_t part_bytes = 1u << 20;

uint32_t tokens_in(const step& part) {
  return static_cast<uint32_t>(part.hidden.dim(1));
}

// -- giving ---------------------------------------------------------------------------------------------------------

uint32_t chunk_of(const session_config& config) {
  const auto row = static_cast<uint64_t>(config.hidden_size) * model::size_of(config.wire);
  const auto token = std::max<uint64_t>(config.batch * std::max(config.cache_bytes, row), 1);
  return static_cast<uint32_t>(std::clamp<uint64_t>(part_bytes / token, 1, part_tokens));
}

void end(session_pointer self) {
  edges::let_go(self, self->state.handing->edge);
  self->state.handing.reset();
}

/// The session lives on, and its client decides what comes next.
void lost(session_pointer self, const caf::error& reason) {
  const auto epoch = self->state.handing->to.epoch;
  end(self);
  self->send(
      self->state.config.events, edge_lost_atom::value,
      edge_lost{self->state.config.id, epoch, code_of(reason), "handing over: " + sentence(reason)});
}

bool is_under_way(session_pointer self, uint64_t epoch) {
  return self->state.handing && self->state.handing->to.epoch == epoch;
}

void go_on(session_pointer self);

void send(session_pointer self, step part) {
  auto& h = *self->state.handing;
  ++h.untaken;
  const auto epoch = h.to.epoch;
  self->request(h.edge, caf::infinite, step_atom::value, std::move(part))
      .then(
          [self, epoch](taken) {
            if (!is_under_way(self, epoch)) return;
            --self->state.handing->untaken;
            go_on(self);
          },
          [self, epoch](const caf::error& reason) {
            if (is_under_way(self, epoch)) lost(self, reason);
          });
}

step part_of(const session_state& state) {
  const auto& h = *state.handing;
  step part;
  part.epoch = h.to.epoch;
  part.seq = part.done = h.done;
  part.position = h.position;
  part.wanted = rows_wanted::all;
  part.until = h.until;
  return part;
}

void next_chunk(session_state& state, uint32_t tokens) {
  state.handing->position += tokens;
  state.handing->block = state.config.blocks.begin;
}

void send_cache(session_pointer self, uint32_t tokens) {
  auto& state = self->state;
  auto& h = *state.handing;
  state.reading_cache = true;
  auto part = part_of(state);
  part.restores = restored_part::cache;
  part.block = h.block++;
  if (state.config.last_hop && h.block == state.config.blocks.end) next_chunk(state, tokens);
  const cache_read wanted{state.config.cache, part.block, part.position, tokens};
  self->request(state.config.block, caf::infinite, read_atom::value, wanted)
      .then(
          [self, part](model::tensor& rows) mutable {
            self->state.reading_cache = false;
            if (is_under_way(self, part.epoch)) {
              part.hidden = std::move(rows);
              send(self, std::move(part));
            }
            go_on(self);
          },
          [self, epoch = part.epoch](const caf::error& reason) {
            self->state.reading_cache = false;
            if (is_under_way(self, epoch)) lost(self, reason);
            go_on(self);
          });
}

void send_outputs(session_pointer self, uint32_t tokens) {
  auto& state = self->state;
  auto part = part_of(state);
  part.restores = restored_part::outputs;
  auto rows = rows_after(*state.log, part.done, part.position, part.position + tokens);
  if (!rows) return lost(self, make_error(errc::gap, "the rows are kept here no more"));
  part.hidden = std::move(*rows);
  next_chunk(state, tokens);
  send(self, std::move(part));
}

void go_on(session_pointer self) {
  auto& state = self->state;
  // One read at a time, whatever was given up meanwhile: a client that hands over again and again costs no more.
  while (state.handing && state.handing->edge && !state.reading_cache &&
         state.handing->untaken < wire::limits::untaken_steps) {
    auto& h = *state.handing;
    if (h.position == h.until) {
      if (h.untaken == 0) end(self);
      return;
    }
    const auto tokens = std::min(chunk_of(state.config), h.until - h.position);
    h.block < state.config.blocks.end ? send_cache(self, tokens) : send_outputs(self, tokens);
  }
}

// -- taking over ----------------------------------------------------------------------------------------------------

/// Of each chunk the blocks come in turn, and the outputs last.
caf::error judge(const session_state& state, const step& part) {
  const auto& config = state.config;
  const auto name = "tokens from " + std::to_string(part.position) + " of " + std::to_string(part.until);
  const bool has_rows = state.restore_begun > 0 && state.chunk_block == 0;
  if (!state.restoring || config.next_restoring || has_rows || part.epoch != state.order->epoch())
    return make_error(
        errc::stale, name + " were handed over, and none are awaited of epoch " + std::to_string(part.epoch));
  if (part.hidden.rank() != 3) return make_error(errc::bad_tensor, name + " came in another shape than [B, T, C]");
  const auto tokens = tokens_in(part);
  const bool begins = state.chunk_tokens == 0;
  const auto expected = begins ? config.blocks.begin : state.chunk_block;
  const bool in_turn = part.restores == restored_part::cache ? part.block == expected
                                                             : expected == config.blocks.end && !config.last_hop;
  if (!in_turn || !part.hypo_ids.empty() || (begins ? tokens == 0 : tokens != state.chunk_tokens) ||
      part.seq != state.order->last() || part.position != state.restore_begun ||
      uint64_t{part.position} + tokens > part.until || part.until > config.max_length ||
      (state.restore_until != 0 && part.until != state.restore_until))
    return make_error(errc::protocol_violation, name + " were handed over out of their order");
  if (part.restores == restored_part::cache) {
    // Its bytes take credit, and so bound what waits for the block.
    if (part.hidden.bytes().size() == config.batch * config.cache_bytes * tokens) return {};
    return make_error(errc::bad_tensor, name + " have keys and values of another size than this span's");
  }
  if (auto text = misfit(config, part); !text.empty()) return make_error(errc::bad_tensor, std::move(text));
  if (part.hidden.type() != config.wire) return make_error(errc::bad_tensor, name + " came in another type");
  return {};
}

void finish_chunk(session_pointer self, uint32_t until) {
  auto& state = self->state;
  state.restore_begun += std::exchange(state.chunk_tokens, 0);
  if (state.restore_begun == until) state.order->restored(until);
}

void look_whether_complete(session_pointer self) {
  auto& state = self->state;
  if (!state.restoring || state.unwritten > 0 || state.restore_until == 0 || state.restore_begun != state.restore_until)
    return;
  state.restored = state.position = state.restore_until;
  restored(self);
}

caf::result<taken> write(session_pointer self, step& part) {
  ++self->state.unwritten;
  cache_write work{self->state.config.cache, part.block, part.position, std::move(part.hidden)};
  return give_block(self, write_atom::value, std::move(work), [self] {
    --self->state.unwritten;
    look_whether_complete(self);
  });
}

}  // namespace

caf::result<taken> begin(session_pointer self, const hand_over_request& request) {
  auto& state = self->state;
  const bool has_rows = state.config.last_hop || state.log->restore(request.done).has_value();
  if (state.restoring || !has_rows || request.done > state.order->last_applied() ||
      request.done < state.order->last_alone() || request.tokens == 0 || request.tokens > state.position)
    return make_error(
        errc::gap, "the state after step " + std::to_string(request.done) + ", of " + std::to_string(request.tokens) +
                       " tokens, is not here to be handed over");
  if (state.handing) end(self);  // its client has given it up
  state.handing = handing_over{
      .to = request.to, .edge = {}, .done = request.done, .until = request.tokens, .block = state.config.blocks.begin};
  auto go = [self, to = request.to](const edge_actor& edge, caf::typed_response_promise<taken>& promise) {
    auto& h = self->state.handing;
    if (!h || h->to != to || h->edge) {
      self->send(edge, close_atom::value);
      promise.deliver(make_error(errc::stale, "another hand-over is under way by now"));
      return;
    }
    self->monitor(edge);
    h->edge = edge;
    promise.deliver(taken{});
    go_on(self);
  };
  return edges::find(self, request.to, std::move(go));
}

caf::result<taken> take_part(session_pointer self, step& part) {
  auto& state = self->state;
  if (auto reason = judge(state, part)) return reason;
  state.restore_until = part.until;
  if (state.chunk_tokens == 0) state.chunk_block = state.config.blocks.begin;
  state.chunk_tokens = tokens_in(part);
  const auto until = part.until;
  if (part.restores == restored_part::cache) {
    ++state.chunk_block;
    if (state.config.last_hop && state.chunk_block == state.config.blocks.end) finish_chunk(self, until);
    return write(self, part);
  }
  if (!state.log->append_restored(entry_of(part))) {
    fail(self, errc::no_room, "the output log is full");
    return make_error(errc::no_room, "the output log is full");
  }
  finish_chunk(self, until);
  look_whether_complete(self);
  return taken{};
}

bool down(session_pointer self, const caf::down_msg& down) {
  auto& h = self->state.handing;
  if (!h || !h->edge || h->edge.address() != down.source) return false;
  lost(
      self,
      make_error(errc::link_lost, "the substitute " + h->to.peer.to_string() + " is gone: " + sentence(down.reason)));
  return true;
}

bool refused(session_pointer self, const step_refused& why) {
  if (!is_under_way(self, why.epoch)) return false;
  lost(self, make_error(why.code, why.text));
  return true;
}

}  // namespace corolla::actors::handing
