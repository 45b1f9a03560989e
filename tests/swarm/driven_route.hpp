// A client in this process whose routes are driven step by step, and overheard: a test strikes at a step of a session,
// not at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>

#include "actors/route_actor.hpp"
#include "model/ends.hpp"

namespace corolla::tests {

/// A session of a route at one of its servers.
struct hop_session {
  std::string peer;
  model::block_range blocks;
  bool restoring = false;  ///< it takes the place of another one
};

/// Called in the client's thread before the route hears of it; may be empty.
struct overheard {
  /// A server has opened a session.
  std::function<void(const hop_session&)> opened{};
  /// A server has refused to, with a sentence.
  std::function<void(const hop_session&, const std::string& why)> refused{};
  /// A hop has reported a step.
  std::function<void(const hop_session&, const actors::applied&)> applied{};
  /// The client sends a step, to its first hop or to a substitute of that.
  std::function<void(const std::string& peer, const actors::step&)> sent{};
};

class driven_client {
 public:
  /// `bootstrap`: corolla://ID@HOST:PORT
  driven_client(const std::filesystem::path& model, const std::string& bootstrap);
  ~driven_client();
  driven_client(const driven_client&) = delete;

  const model::ends& ends() const { return *ends_; }

 private:
  friend class driven_route;

  struct system_config : caf::actor_system_config {
    system_config();
  };

  system_config config_;
  caf::actor_system system_;
  std::unique_ptr<model::ends> ends_;
  actors::route_config route_;
};

/// Over all blocks.  Throws std::runtime_error with a sentence where something fails.
class driven_route {
 public:
  driven_route(driven_client& client, actors::route_options options, overheard ears = {});
  /// Closes it, and waits until it is gone.
  ~driven_route();
  driven_route(const driven_route&) = delete;

  /// Begins a step, which goes on meanwhile.
  void start(actors::forward_request request);
  /// The output of what was begun.
  model::tensor finish();

  actors::route_status status();
  /// What each hop's session has done.
  std::vector<actors::session_status> audit();

 private:
  caf::scoped_actor self_;
  caf::actor ears_;
  actors::route_actor route_;
  std::function<model::tensor()> finish_;
};

}  // namespace corolla::tests
