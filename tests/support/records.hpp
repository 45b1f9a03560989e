// Records of servers for tests that plan routes: a model of eight blocks, and who serves it.
#pragma once

#include <cstdint>

#include "actors/protocol.hpp"
#include "actors/route_actor.hpp"
#include "model/digest.hpp"

namespace corolla::tests {

inline constexpr uint32_t record_blocks = 8;

/// A peer id of 32 such bytes.
inline actors::peer_id named(uint8_t byte) {
  actors::peer_id id;
  id.bytes.fill(byte);
  return id;
}

/// Models of different seeds have no block in common.
inline actors::route_model make_model(uint8_t seed) {
  actors::route_model result;
  result.name = "tiny";
  result.digests.ends.fill(seed);
  result.digests.blocks.resize(record_blocks);
  for (uint32_t i = 0; i < record_blocks; ++i) result.digests.blocks[i].fill(static_cast<uint8_t>(seed + i));
  result.digests.model = model::model_digest(result.digests);
  return result;
}

inline const actors::route_model& our_model() {
  static const auto model = make_model(1);
  return model;
}

/// A server that is online, with room, and has measured no way.
inline actors::server_record serving(
    uint8_t id, model::block_range blocks, float steps_per_s = 100, const actors::route_model& of = our_model()) {
  actors::server_record record;
  record.peer = named(id);
  record.model_name = of.name;
  record.model = of.digests.model;
  record.blocks_digest = model::of_blocks(of.digests, blocks);
  record.model_blocks = record_blocks;
  record.blocks = blocks;
  record.free_tokens = record.cache_tokens = 4096;
  record.steps_per_s = steps_per_s;
  return record;
}

inline actors::route_options covering(model::block_range blocks = {0, record_blocks}) {
  actors::route_options options;
  options.blocks = blocks;
  options.max_length = 100;
  return options;
}

}  // namespace corolla::tests
