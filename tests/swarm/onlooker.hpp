// A client that only listens: what a node that it is linked to tells of who is in the swarm.
#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/dialer_actor.hpp"
#include "actors/directory_actor.hpp"
#include "actors/node_actor.hpp"
#include "runtime/swarm.hpp"
#include "tests/support/swarm.hpp"

namespace corolla::tests {

/// After which a link is dead; nodes are to be given the same (--node.liveness=1s).
constexpr auto silence = std::chrono::milliseconds{1000};
/// One suspicion round, and what a machine that does much else may take on top of it.
constexpr auto round = std::chrono::milliseconds{1000};
constexpr auto grace = std::chrono::milliseconds{1000};

struct onlooker_config : caf::actor_system_config {
  onlooker_config() {
    load<caf::io::middleman>();
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", 2);
    set("middleman.workers", 0);
  }
};

inline actors::directory_watcher_actor::behavior_type tell(
    actors::directory_watcher_actor::pointer, const caf::actor& test) {
  return {[test](actors::changed_atom) { caf::anon_send(test, actors::changed_atom::value); }};
}

/// A client in this process that watches its directory.
class onlooker {
 public:
  explicit onlooker(const std::string& address) {
    auto membership = runtime::join_swarm({}, /*is_server=*/false);
    membership.link.silence = silence;
    directory_ = actors::spawn_directory(system_, {membership.self});
    actors::node_settings settings;
    settings.link = std::make_shared<const actors::wire::link_config>(std::move(membership.link));
    settings.directory = directory_;
    settings.dialer = system_.spawn<caf::detached>(actors::dialer, settings.stops_dials);
    node_ = actors::spawn_node(system_, std::move(settings));
    watcher_ = system_.spawn(tell, caf::actor{self_});
    self_->send(directory_, actors::watch_atom::value, watcher_);
    self_->request(node_, patience, actors::connect_atom::value, *crypto::address::parse(address))
        .receive(
            [](const actors::peer_actor&) {},
            [](caf::error& reason) { throw std::runtime_error(actors::describe(reason)); });
  }
  ~onlooker() {
    self_->monitor(node_);
    self_->send(node_, actors::stop_atom::value);
    directory_ = nullptr;
    self_->receive([](const caf::down_msg&) {});
    self_->send_exit(watcher_, caf::exit_reason::kill);
  }

  /// Waits until the directory shows so many servers; false when it has not come to that in time.
  bool sees(size_t servers, std::chrono::steady_clock::duration within) {
    auto until = std::chrono::steady_clock::now() + within;
    while (count() != servers) {
      auto left = std::chrono::duration_cast<caf::timespan>(until - std::chrono::steady_clock::now());
      bool in_time = left.count() > 0;
      if (in_time) self_->receive([](actors::changed_atom) {}, caf::after(left) >> [&] { in_time = false; });
      if (!in_time) return count() == servers;
    }
    return true;
  }

 private:
  size_t count() {
    size_t result = 0;
    self_->request(directory_, patience, actors::snapshot_atom::value)
        .receive(
            [&](const std::vector<actors::server_record>& records) { result = records.size(); },
            [](caf::error& reason) { throw std::runtime_error(actors::describe(reason)); });
    return result;
  }

  onlooker_config config_;
  caf::actor_system system_{config_};
  caf::scoped_actor self_{system_};
  actors::directory_actor directory_;
  actors::node_actor node_;
  actors::directory_watcher_actor watcher_;
};

}  // namespace corolla::tests
