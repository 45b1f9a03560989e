#include "runtime/swarm_view.hpp"

#include <optional>
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
#include "runtime/client.hpp"
#include "runtime/swarm.hpp"

namespace corolla::runtime {
namespace {

using namespace actors;

constexpr auto patience = std::chrono::seconds{15};

/// A node that serves nothing, for as long as it is looked through.
class visitor {
 public:
  explicit visitor(swarm_membership membership) {
    set_caf_defaults(config_);
    config_.load<caf::io::middleman>();
    system_.emplace(config_);
    directory_ = spawn_directory(*system_, {membership.self});
    node_settings settings;
    settings.link = std::make_shared<const wire::link_config>(std::move(membership.link));
    settings.directory = directory_;
    settings.dialer = system_->spawn<caf::detached>(dialer);
    settings.software = software_name();
    node_ = spawn_node(*system_, std::move(settings));
  }
  ~visitor() {
    caf::scoped_actor self{*system_};
    self->monitor(node_);
    self->send(node_, stop_atom::value);
    // The node bounds its own end.
    self->receive([](const caf::down_msg&) {});
  }
  visitor(const visitor&) = delete;
  visitor& operator=(const visitor&) = delete;

  std::vector<server_record> read(const crypto::address& from) {
    caf::scoped_actor self{*system_};
    const auto fail = [](caf::error& reason) { throw client_error(describe(reason)); };
    peer_actor peer;
    self->request(node_, patience, connect_atom::value, from).receive([&](peer_actor& found) { peer = found; }, fail);
    self->request(peer, patience, snapshot_atom::value).receive([](taken) {}, fail);
    std::vector<server_record> records;
    self->request(directory_, patience, snapshot_atom::value)
        .receive([&](std::vector<server_record>& all) { records = std::move(all); }, fail);
    return records;
  }

 private:
  caf::actor_system_config config_;
  std::optional<caf::actor_system> system_;
  directory_actor directory_;
  node_actor node_;
};

}  // namespace

std::vector<server_record> read_records(const std::vector<std::string>& peers, const swarm_options& swarm) {
  std::vector<crypto::address> addresses;
  for (const auto& text : peers) {
    auto address = crypto::address::parse(text);
    if (!address) throw client_error("\"" + text + "\" is no address of the form corolla://ID@HOST:PORT");
    addresses.push_back(std::move(*address));
  }
  if (addresses.empty()) throw client_error("no peers were given: name one or more as corolla://ID@HOST:PORT");
  std::optional<swarm_membership> membership;
  try {
    membership = join_swarm(swarm, /*is_server=*/false);
  } catch (const std::exception& e) {
    throw client_error(e.what());
  }
  visitor look{std::move(*membership)};
  for (size_t i = 0; i + 1 < addresses.size(); ++i) try {
      return look.read(addresses[i]);
    } catch (const client_error&) {
      // The next may answer; what the last one says is told.
    }
  return look.read(addresses.back());
}

}  // namespace corolla::runtime
