// From what a user says of the swarm to what every link of a node shares.
#pragma once

#include <memory>
#include <string>

#include "actors/wire/link.hpp"
#include "crypto/identity.hpp"
#include "runtime/swarm_options.hpp"

namespace corolla::runtime {

struct swarm_membership {
  crypto::identity self;
  /// Without the model: a node fills that in.
  actors::wire::link_config link;
};

/// Reads (or makes) the identity, and the certificate of a private swarm, which is judged here first: a node that the
/// others would refuse is told so at once.  Throws std::runtime_error with a sentence that says what to do.
swarm_membership join_swarm(const swarm_options& options, bool is_server);

/// "corolla/0.1.0"
std::string software_name();

}  // namespace corolla::runtime
