// One session's chain of hops, kept by the client: plans it, opens it, numbers the steps, gathers the outputs.
#pragma once

#include <vector>

#include "actors/bans_actor.hpp"

namespace corolla::actors {

/// What a route needs to know of the model that its client holds.
struct route_model {
  std::string name;
  model::model_digests digests;
  int64_t hidden_size = 0;
};

struct route_config {
  node_actor node;
  directory_actor directory;
  /// Shared by the routes of a client.
  bans_actor bans;
  peer_id self;
  /// Nodes to ask who serves what; one that answers suffices.  May be empty where the directory knows already.
  std::vector<crypto::address> bootstrap;
  std::shared_ptr<const route_model> model;
  route_options options;
};

route_actor spawn_route(caf::actor_system& system, route_config config);

}  // namespace corolla::actors
