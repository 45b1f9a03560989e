// A client of a swarm: embeddings, head and sampler here, the blocks behind routes.  Spawn it detached: it computes.
#pragma once

#include <functional>
#include <memory>

#include "actors/protocol.hpp"
#include "actors/route_actor.hpp"
#include "model/ends.hpp"
#include "model/generation.hpp"

namespace corolla::actors {

struct generate_order {
  /// The caller's name for it, unique among the orders under way: `stop_atom` ends it.
  uint64_t id = 0;
  model::generation_request request;
  /// Called in the client's thread for each token as it comes; may be empty.
  std::function<void(const model::generated_token&)> on_token;
  /// Called there too, before the first token, with the route as it was opened; may be empty.
  std::function<void(const route_status&)> on_route;
};
struct generate_reply {
  std::vector<int64_t> ids;
  std::string text;
  std::chrono::duration<double> to_first_token{0};
  std::chrono::duration<double> after_first_token{0};
  route_status route;
};

struct evaluate_order {
  uint64_t id = 0;
  model::tensor input_ids;  ///< int64 [B, S]
  bool hidden = false;      ///< also what each block gives, read through a session over that block alone
};
struct evaluate_reply {
  model::tensor embeddings, final_norm, logits;
  std::vector<model::tensor> block_outputs;
};

/// CLIENT: several orders run side by side.
using client_actor = caf::typed_actor<
    // Fails with bad_request (a sentence for the caller), cancelled, and what its route fails with.
    caf::replies_to<generate_atom, generate_order>::with<generate_reply>,
    caf::replies_to<forward_atom, evaluate_order>::with<evaluate_reply>,
    // Ends the order with this id: its sessions are closed at every server.
    caf::reacts_to<stop_atom, uint64_t>, caf::reacts_to<close_atom>>;

struct client_settings {
  std::shared_ptr<const model::ends> ends;
  /// Null where the model brings none.
  std::shared_ptr<const model::tokenizer> tokenizer;
  /// `options.blocks`, `batch` and `max_length` are filled in for each order, which takes its part of
  /// `options.deep_prompts`, those of all blocks.
  route_config route;
};

client_actor spawn_client(caf::actor_system& system, client_settings settings);

}  // namespace corolla::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::generate_order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::generate_reply)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::evaluate_order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::actors::evaluate_reply)
