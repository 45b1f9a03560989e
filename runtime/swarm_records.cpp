#include "runtime/swarm_records.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/dialer_actor.hpp"
#include "actors/directory_actor.hpp"
#include "actors/node_actor.hpp"
#include "runtime/caf_defaults.hpp"
#include "runtime/swarm.hpp"

namespace corolla::runtime {
namespace {

using namespace actors;

/// The node bounds what it does; this only bounds a fault in it.
constexpr auto answer_timeout = std::chrono::seconds{30};

struct system_config : caf::actor_system_config {
  system_config() {
    set_caf_defaults(*this);
    load<caf::io::middleman>();
  }
};

/// A client's node, for as long as a look takes.
class onlooker {
 public:
  explicit onlooker(swarm_membership membership) {
    directory_ = spawn_directory(system_, {membership.self});
    node_settings settings;
    settings.link = std::make_shared<const wire::link_config>(std::move(membership.link));
    settings.directory = directory_;
    settings.dialer = system_.spawn<caf::detached>(dialer);
    settings.software = software_name();
    node_ = spawn_node(system_, std::move(settings));
  }
  ~onlooker() {
    caf::scoped_actor self{system_};
    self->monitor(node_);
    self->send(node_, stop_atom::value);
    directory_ = nullptr;
    self->receive([](const caf::down_msg&) {});
  }
  onlooker(const onlooker&) = delete;

  /// Empty, or why the peer was not reached.
  std::string link_to(const crypto::address& peer) {
    caf::scoped_actor self{system_};
    std::string failure;
    self->request(node_, answer_timeout, connect_atom::value, peer)
        .receive([](const peer_actor&) {}, [&](caf::error& reason) { failure = describe(reason); });
    return failure;
  }
  std::vector<server_record> records() {
    caf::scoped_actor self{system_};
    std::vector<server_record> result;
    self->request(directory_, answer_timeout, snapshot_atom::value)
        .receive(
            [&](std::vector<server_record>& records) { result = std::move(records); },
            [](caf::error& reason) { throw std::runtime_error(describe(reason)); });
    return result;
  }

 private:
  system_config config_;
  caf::actor_system system_{config_};
  directory_actor directory_;
  node_actor node_;
};

}  // namespace

std::vector<server_record> read_records(const swarm_options& options, const std::vector<std::string>& peers) {
  std::vector<crypto::address> addresses;
  for (auto& text : peers) {
    auto address = crypto::address::parse(text);
    if (!address) throw std::runtime_error("\"" + text + "\" is no address of the form corolla://ID@HOST:PORT");
    addresses.push_back(std::move(*address));
  }
  onlooker node{join_swarm(options, /*is_server=*/false)};
  std::string failures;
  auto reached = std::any_of(addresses.begin(), addresses.end(), [&](const crypto::address& address) {
    auto failure = node.link_to(address);
    if (!failure.empty()) failures += (failures.empty() ? "" : "; ") + address.to_string() + ": " + failure;
    return failure.empty();
  });
  if (!reached) throw std::runtime_error("none of the given peers answered: " + failures);
  return node.records();
}

}  // namespace corolla::runtime
