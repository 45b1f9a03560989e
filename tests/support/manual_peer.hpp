// A peer that a test drives by hand over a real socket with real TLS: it reads only when told to, and may send
// anything.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "actors/wire/socket.hpp"
#include "tests/support/core_ends.hpp"
#include "tests/support/link_ends.hpp"

namespace corolla::tests {

class manual_peer {
 public:
  /// Takes the socket over.  `dialled`: it speaks first.
  manual_peer(int socket, const node_end& self, bool dialled, actors::wire::hello said = {});

  /// Reads and writes until `done`, or until the connection has ended.  False: it did not come to that in time.
  bool run_until(const std::function<bool()>& done);
  bool greet() {
    return run_until([&] { return core.is_established(); });
  }
  /// Bytes that are no TLS of ours.
  void send_raw(std::span<const char> bytes);

  core_record record;
  actors::wire::link_core core;
  bool closed = false;

 private:
  struct channel;
  manual_peer(int socket, channel through, bool dialled, const actors::wire::hello& said);
  actors::wire::descriptor socket_;
};

/// Reads a blocking or non-blocking socket until its end; false if that does not come in time.
bool wait_for_end(int socket);

}  // namespace corolla::tests
