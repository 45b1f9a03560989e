// Nodes with their directories in virtual time, joined by links in memory that a test makes, cuts and ends.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "actors/node_actor.hpp"
#include "actors/policy/gossip.hpp"
#include "tests/support/memory_link.hpp"
#include "tests/support/virtual_time.hpp"

namespace corolla::tests {

struct member {
  crypto::identity identity;
  std::shared_ptr<const actors::wire::link_config> config;
  actors::directory_actor directory;
  actors::node_actor node;
  actors::peer_id id() const { return identity.peer(); }
};

class directory_swarm {
 public:
  directory_swarm() = default;
  ~directory_swarm();
  directory_swarm(const directory_swarm&) = delete;

  /// A node that says it is a server (or a client), of an identity of its own or of the one given.
  size_t add(
      bool is_server = true, const crypto::identity* identity = nullptr, actors::policy::gossip_limits limits = {});
  member& at(size_t n) { return members_[n]; }
  user& me() { return me_; }
  virtual_time& time() { return time_; }
  /// In small steps, so that what falls due on the way starts what falls due later on the way.
  void pass(std::chrono::milliseconds time);

  memory_links& link(size_t dialler, size_t other, bool tamperable = false);
  /// Nothing passes any more, and nobody is told.
  void cut(size_t a, size_t b);
  /// The connection ends, and both ends see it.
  void end(size_t a, size_t b);
  /// The process is gone, and its machine with it: all its links fall silent.
  void lose(size_t n);
  /// The process is gone: its links end at once.
  void kill(size_t n);
  /// Whoever dials it gets no answer.
  void unreachable(size_t n) { reachable_->erase(members_[n].id()); }
  void reachable(size_t n) { reachable_->insert(members_[n].id()); }

  /// What it serves, beginning with one block of a model.
  static actors::server_record record(uint8_t model = 1, uint32_t begin = 0, uint32_t end = 1);
  void publish(size_t n, const actors::server_record& record);
  std::vector<actors::server_record> snapshot(size_t n);
  /// Its directory shows the other as a server.
  bool knows(size_t n, size_t other);
  actors::directory_status status(size_t n);
  /// All that ever owned a link.
  const std::vector<caf::weak_actor_ptr>& peers() const { return peers_; }

 private:
  void stop(size_t n);

  virtual_time time_;
  user me_{time_};
  std::vector<member> members_;
  std::map<std::pair<size_t, size_t>, memory_links> links_;
  std::vector<caf::weak_actor_ptr> peers_;
  /// Whom others reach when they dial for a suspect.
  std::shared_ptr<std::set<crypto::peer_id>> reachable_ = std::make_shared<std::set<crypto::peer_id>>();
};

}  // namespace corolla::tests
