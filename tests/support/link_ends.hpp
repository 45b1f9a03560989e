// Real links over loopback, for tests: two ends in one actor system, each with an owner that hands everything on to the
// test.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>

#include "actors/wire/acceptor.hpp"
#include "actors/wire/link.hpp"
#include "crypto/identity.hpp"
#include "tests/support/patience.hpp"

namespace corolla::tests {

struct networked_config : caf::actor_system_config {
  networked_config();
};

/// What an owner tells the test.
struct link_up {
  actors::wire::link_actor link;
  actors::link_info info;
};
struct link_message {
  actors::link_info info;
  actors::wire::incoming message;
};
struct stream_end {
  actors::link_info info;
  uint64_t stream = 0;
};

/// An identity with a configuration around it.
struct node_end {
  crypto::identity identity = crypto::identity::generate();
  actors::wire::link_config config;

  node_end();
  std::shared_ptr<const actors::wire::link_config> shared() const;
};

/// Makes owners that report to `test`, and answer nothing.
actors::wire::make_owner reporting_to(caf::actor_system& system, const caf::actor& test);

/// Two connected non-blocking TCP sockets on loopback.
std::pair<int, int> connected_sockets();

}  // namespace corolla::tests

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::tests::link_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::tests::link_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::tests::stream_end)
