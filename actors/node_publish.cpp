#include "actors/node_publish.hpp"

#include <algorithm>
#include <utility>

#include <caf/send.hpp>

#include "actors/node_neighbours.hpp"

namespace corolla::actors::publishing {
namespace {

constexpr auto answer_timeout = std::chrono::seconds{5};
constexpr auto publish_timeout = std::chrono::seconds{15};
constexpr auto sample_pause = std::chrono::seconds{2};
/// Neighbours are looked after with every so many samples.
constexpr uint32_t samples_a_look = 5;

server_record record_of(const node_state& state, uint64_t free_tokens, std::vector<ping_time> ways) {
  auto& served = *state.settings->served;
  server_record record;
  if (state.draining) record.state = server_state::draining;
  record.addresses = state.announce;
  record.model_name = served.model_name;
  record.model = served.digests.model;
  record.blocks_digest = model::of_blocks(served.digests, served.blocks);
  record.model_blocks = static_cast<uint32_t>(served.digests.blocks.size());
  record.blocks = served.blocks;
  record.dtype = served.dtype;
  record.cache_tokens = served.cache_tokens;
  record.free_tokens = free_tokens;
  record.steps_per_s = served.steps_per_s;
  record.forward_per_s = served.forward_per_s;
  record.numerics = served.numerics;
  record.load = state.load;
  ways.resize(std::min(ways.size(), max_record_pings));
  record.pings = std::move(ways);
  record.software = state.settings->software;
  return record;
}

/// The share of the time since the last look in which the block computed, half of it the share before.
void take_load(node_pointer self, const block_status& block) {
  auto& state = self->state;
  auto now = self->clock().now();
  std::chrono::duration<float> passed = now - state.sampled;
  if (passed.count() <= 0) return;
  auto share = std::chrono::duration<float>(block.busy - state.busy) / passed;
  state.load = (state.load + std::clamp(share, 0.0f, 1.0f)) / 2;
  state.busy = block.busy;
  state.sampled = now;
}

/// The record as it is now, with what is known of the ways to others.
template <class Then, class Failed>
void with_record(node_pointer self, uint64_t free_tokens, Then then, Failed failed) {
  self->request(self->state.probe, answer_timeout, snapshot_atom::value)
      .then(
          [self, free_tokens, then](std::vector<ping_time>& ways) mutable {
            then(record_of(self->state, free_tokens, std::move(ways)));
          },
          failed);
}

/// Whoever asked for it hears that it is done, or why it is not.
template <class Outcome>
void settle(node_pointer self, uint64_t turn, const Outcome& outcome) {
  if (auto waiting = self->state.publishing.extract(turn)) waiting.mapped().deliver(outcome);
}

}  // namespace

caf::result<taken> publish(node_pointer self, uint32_t acknowledgements) {
  auto& state = self->state;
  if (!state.settings->served) return make_error(errc::bad_request, "this node serves no blocks");
  if (state.stopping) return make_error(errc::stopping, "the node is ending");
  auto promise = self->make_response_promise<taken>();
  const auto turn = ++state.last_publish;
  state.publishing.emplace(turn, promise);
  auto failed = [self, turn](caf::error& reason) { settle(self, turn, reason); };
  self->request(state.settings->served->block, answer_timeout, status_atom::value)
      .then(
          [self, acknowledgements, turn, failed](const block_status& block) mutable {
            auto& s = self->state;
            s.busy = block.busy;
            s.sampled = self->clock().now();
            with_record(
                self, block.free_tokens,
                [self, acknowledgements, turn, failed](server_record record) {
                  self->request(
                          self->state.settings->directory, publish_timeout, publish_atom::value, std::move(record),
                          acknowledgements)
                      .then(
                          [self, turn](taken done) {
                            if (!std::exchange(self->state.published, true)) {
                              neighbours::tend(self);
                              self->delayed_send(self, sample_pause, tick_atom::value);
                            }
                            settle(self, turn, done);
                          },
                          failed);
                },
                failed);
          },
          failed);
  return promise;
}

void give_up(node_pointer self) {
  for (auto& [turn, promise] : std::exchange(self->state.publishing, {}))
    promise.deliver(make_error(errc::stopping, "the node is ending"));
}

void announce(node_pointer self) {
  self->request(self->state.settings->served->block, answer_timeout, status_atom::value)
      .then(
          [self](const block_status& block) {
            auto& s = self->state;
            if (s.stopping) return;
            take_load(self, block);
            with_record(
                self, block.free_tokens,
                [self](server_record record) {
                  auto& now = self->state;
                  if (now.stopping) return;
                  caf::anon_send(now.settings->directory, publish_atom::value, std::move(record), uint32_t{0});
                },
                [](const caf::error&) {});  // there is a next time
          },
          [](caf::error&) {});
}

void sample(node_pointer self) {
  auto& state = self->state;
  if (!state.published || state.stopping) return;
  self->delayed_send(self, sample_pause, tick_atom::value);
  if (state.samples++ % samples_a_look == 0) neighbours::tend(self);
  announce(self);
}

}  // namespace corolla::actors::publishing
