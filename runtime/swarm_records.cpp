#include "runtime/swarm_records.hpp"

#include <optional>
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
#include "actors/route_plan.hpp"
#include "runtime/caf_defaults.hpp"
#include "runtime/swarm.hpp"

namespace corolla::runtime {
namespace {

using namespace actors;

/// The node bounds what it does; this only bounds a fault in it.
constexpr auto answer_timeout = std::chrono::seconds{30};
/// Reaching servers and pinging them.
constexpr auto measuring_time = std::chrono::milliseconds{2000};
/// One of many servers, which the others do not wait for.
constexpr auto server_timeout = std::chrono::seconds{3};

struct system_config : caf::actor_system_config {
  system_config() {
    set_caf_defaults(*this);
    load<caf::io::middleman>();
  }
};

std::vector<crypto::address> parse_all(const std::vector<std::string>& peers) {
  std::vector<crypto::address> addresses;
  for (auto& text : peers) {
    auto address = crypto::address::parse(text);
    if (!address) throw std::runtime_error("\"" + text + "\" is no address of the form corolla://ID@HOST:PORT");
    addresses.push_back(std::move(*address));
  }
  return addresses;
}

/// A client's node, for as long as a look takes.
class onlooker {
 public:
  /// Linked to the first of `peers` that answers; throws where none does.
  onlooker(const swarm_options& options, const std::vector<std::string>& peers) {
    const auto addresses = parse_all(peers);
    auto membership = join_swarm(options, /*is_server=*/false);
    directory_ = spawn_directory_undetached(system_, {membership.self});
    node_settings settings;
    settings.link = std::make_shared<const wire::link_config>(std::move(membership.link));
    settings.directory = directory_;
    settings.dialer = system_.spawn<caf::detached>(dialer, settings.stops_dials);
    settings.software = software_name();
    node_ = spawn_node(system_, std::move(settings));
    try {
      link_to_any(addresses);
    } catch (const std::exception&) {
      end();
      throw;
    }
  }
  ~onlooker() { end(); }
  onlooker(const onlooker&) = delete;

  std::vector<server_record> records() {
    return ask<std::vector<server_record>>(directory_, answer_timeout, snapshot_atom::value);
  }
  std::vector<ping_time> ways(const std::vector<peer_id>& wanted) {
    return ask<std::vector<ping_time>>(node_, answer_timeout, snapshot_atom::value, wanted, measuring_time);
  }
  /// For each of the servers, in their order.
  std::vector<told_sessions> sessions(const std::vector<server_record>& servers) {
    std::vector<told_sessions> all;
    for (auto& server : servers) all.push_back({server, {}, {}});
    std::vector<peer_actor> found(all.size());
    ask_each(all, found, [&](caf::scoped_actor& self, size_t i) {
      return self->request(node_, server_timeout, connect_atom::value, all[i].server.peer);
    });
    std::vector<session_list> lists(all.size());
    ask_each(all, lists, [&](caf::scoped_actor& self, size_t i) {
      return self->request(found[i], server_timeout, sessions_atom::value);
    });
    for (size_t i = 0; i < all.size(); ++i) all[i].list = std::move(lists[i]);
    return all;
  }
  uint32_t drain(const peer_id& server) {
    const auto peer = ask<peer_actor>(node_, answer_timeout, connect_atom::value, server);
    return ask<uint32_t>(peer, answer_timeout, drain_atom::value);
  }

 private:
  /// Those that have not failed, all at once.
  template <class Result, class Request>
  void ask_each(std::vector<told_sessions>& all, std::vector<Result>& results, Request request) {
    caf::scoped_actor self{system_};
    using handle = decltype(request(self, size_t{0}));
    std::vector<std::pair<size_t, handle>> asked;
    for (size_t i = 0; i < all.size(); ++i)
      if (!all[i].failure) asked.emplace_back(i, request(self, i));
    for (auto& [i, answer] : asked)
      answer.receive(
          [&result = results[i]](Result& told) { result = std::move(told); },
          [&failure = all[i].failure](caf::error& reason) { failure = std::move(reason); });
  }
  template <class Result, class Actor, class... Arguments>
  Result ask(const Actor& whom, Arguments&&... arguments) {
    caf::scoped_actor self{system_};
    Result result{};
    self->request(whom, std::forward<Arguments>(arguments)...)
        .receive(
            [&](Result& answer) { result = std::move(answer); },
            [](caf::error& reason) { throw std::runtime_error(describe(reason)); });
    return result;
  }

  void link_to_any(const std::vector<crypto::address>& addresses) {
    std::string failures;
    for (auto& address : addresses) try {
        ask<peer_actor>(node_, answer_timeout, connect_atom::value, address);
        return;
      } catch (const std::runtime_error& e) {
        failures += (failures.empty() ? "" : "; ") + address.to_string() + ": " + e.what();
      }
    throw std::runtime_error("none of the given peers answered: " + failures);
  }

  void end() {
    caf::scoped_actor self{system_};
    self->monitor(node_);
    self->send(node_, stop_atom::value);
    self->receive([](const caf::down_msg&) {});
  }

  system_config config_;
  caf::actor_system system_{config_};
  directory_actor directory_;
  node_actor node_;
};

}  // namespace

std::vector<server_record> read_records(const swarm_options& options, const std::vector<std::string>& peers) {
  return onlooker{options, peers}.records();
}

seen_ways read_records_and_ways(
    const swarm_options& options, const std::vector<std::string>& peers, const route_model& model,
    const route_options& route) {
  onlooker node{options, peers};
  seen_ways result{node.records(), {}};
  const auto wanted = ends_to_measure(result.servers, model, route, {});
  result.ways = node.ways(wanted);
  add_far_ones(result.ways, wanted, measuring_time);
  return result;
}

drained_server drain_server(
    const swarm_options& options, const std::vector<std::string>& peers, const std::string& id) {
  onlooker node{options, peers};
  std::optional<peer_id> meant;
  for (auto& record : node.records()) {
    if (!record.peer.to_string().starts_with(id)) continue;
    if (meant) throw std::runtime_error("several servers have an id that begins with " + id + ": give more of it");
    meant = record.peer;
  }
  if (!meant) throw std::runtime_error("no server there has the id " + id + ": `corolla swarm` tells the ids of all");
  return {meant->to_string(), node.drain(*meant)};
}

std::vector<told_sessions> read_sessions(const swarm_options& options, const std::vector<std::string>& peers) {
  onlooker node{options, peers};
  return node.sessions(node.records());
}

}  // namespace corolla::runtime
