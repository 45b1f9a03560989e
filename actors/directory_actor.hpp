// Who serves what: signed records, pushed to every node as they change and asked for by newcomers.  Soft state: a
// record that its owner does not refresh is gone after its lifetime, and at once where a link to its owner is lost.
#pragma once

#include "actors/protocol.hpp"

namespace corolla::actors {

struct directory_config {
  crypto::identity self;
  /// The most records that strangers can make a node keep.
  size_t max_records = 4096;
  /// How far a record may have travelled when it arrives, whatever it says of its lifetime.
  std::chrono::milliseconds max_lifetime = std::chrono::minutes{10};
  /// In its own thread: it checks a signature for each record that a peer cares to send, and steps must not wait for
  /// that.  Tests in virtual time do without.
  bool detached = true;
};

directory_actor spawn_directory(caf::actor_system& system, directory_config config);

}  // namespace corolla::actors
