#include "tests/swarm/driven_route.hpp"

#include <chrono>
#include <stdexcept>
#include <utility>

#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/io/middleman.hpp>
#include <caf/response_promise.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/dialer_actor.hpp"
#include "actors/directory_actor.hpp"
#include "actors/node_actor.hpp"
#include "model/checkpoint.hpp"
#include "model/span.hpp"
#include "runtime/caf_defaults.hpp"
#include "runtime/swarm.hpp"

namespace corolla::tests {

using namespace actors;

namespace {

/// Beyond what a route allows itself for one output.
constexpr auto patience_of_requests = std::chrono::minutes{3};

using ears_ptr = std::shared_ptr<const overheard>;

[[noreturn]] void raise(const caf::error& reason) {
  throw std::runtime_error(describe(reason));
}

// -- those that overhear: each stands before the real one, and ends with it ------------------------------------------

void end_with(caf::event_based_actor* self, const caf::actor_addr& other) {
  self->monitor(other);
  self->set_down_handler([self](const caf::down_msg& down) { self->quit(down.reason); });
}

caf::behavior hear_events(
    caf::event_based_actor* self, session_events_actor route, const hop_session& where, const ears_ptr& ears) {
  end_with(self, route.address());
  return {
      [=](applied_atom, const applied& event) {
        if (ears->applied) ears->applied(where, event);
        self->send(route, applied_atom::value, event);
      },
      [=](failed_atom, const session_failed& event) { self->send(route, failed_atom::value, event); },
      [=](restored_atom, const session_restored& event) { self->send(route, restored_atom::value, event); },
      [=](edge_lost_atom, const edge_lost& event) { self->send(route, edge_lost_atom::value, event); },
      [=](leaving_atom, const session_leaving& event) { self->send(route, leaving_atom::value, event); }};
}

caf::behavior hear_steps(caf::event_based_actor* self, edge_actor edge, const std::string& peer, const ears_ptr& ears) {
  end_with(self, edge.address());
  return {
      [=](step_atom, step& s) {
        if (ears->sent) ears->sent(peer, s);
        return self->delegate(edge, step_atom::value, std::move(s));
      },
      [=](close_atom) {
        self->send(edge, close_atom::value);
        self->quit();
      }};
}

caf::behavior hear_peer(caf::event_based_actor* self, peer_actor peer, const std::string& name, const ears_ptr& ears) {
  end_with(self, peer.address());
  return {
      [=](open_atom, const open_request& request, const session_events_actor& route) {
        const hop_session where{name, request.blocks, request.restoring};
        auto promise = self->make_response_promise();
        auto events = caf::actor_cast<session_events_actor>(self->spawn(hear_events, route, where, ears));
        self->request(peer, caf::infinite, open_atom::value, request, events)
            .then(
                [=](session_control_actor& control) mutable {
                  if (ears->opened) ears->opened(where);
                  promise.deliver(std::move(control));
                },
                [=](caf::error& reason) mutable {
                  if (ears->refused) ears->refused(where, describe(reason));
                  promise.deliver(std::move(reason));
                });
        return promise;
      },
      [=](attach_atom, const edge_target& to, const edge_owner_actor& owner) {
        auto promise = self->make_response_promise();
        self->request(peer, caf::infinite, attach_atom::value, to, owner)
            .then(
                [=](const edge_actor& edge) mutable {
                  promise.deliver(caf::actor_cast<edge_actor>(self->spawn(hear_steps, edge, name, ears)));
                },
                [=](caf::error& reason) mutable { promise.deliver(std::move(reason)); });
        return promise;
      },
      [=](snapshot_atom) { return self->delegate(peer, snapshot_atom::value); }};
}

/// What of a node a route asks for.
caf::behavior hear_node(caf::event_based_actor* self, node_actor node, const ears_ptr& ears) {
  const auto connect = [=](const auto& where, const peer_id& name) {
    auto promise = self->make_response_promise();
    self->request(node, caf::infinite, connect_atom::value, where)
        .then(
            [=](const peer_actor& peer) mutable {
              promise.deliver(caf::actor_cast<peer_actor>(self->spawn(hear_peer, peer, name.to_string(), ears)));
            },
            [=](caf::error& reason) mutable { promise.deliver(std::move(reason)); });
    return promise;
  };
  return {
      [=](connect_atom, const peer_id& peer) { return connect(peer, peer); },
      [=](connect_atom, const crypto::address& address) { return connect(address, address.peer.value()); },
      [=](register_atom, const session_id& session, const step_sink_actor& sink) {
        return self->delegate(node, register_atom::value, session, sink);
      },
      [=](snapshot_atom, const std::vector<peer_id>& wanted, std::chrono::milliseconds longest) {
        return self->delegate(node, snapshot_atom::value, wanted, longest);
      }};
}

}  // namespace

driven_client::system_config::system_config() {
  runtime::set_caf_defaults(*this);
  load<caf::io::middleman>();
}

driven_client::driven_client(const std::filesystem::path& model, const std::string& bootstrap) : system_{config_} {
  model::set_compute_threads(1);
  const auto source = model::checkpoint::open(model);
  ends_ = model::ends::load(*source, {});
  auto membership = runtime::join_swarm({}, /*is_server=*/false);
  node_settings node;
  node.link = std::make_shared<const wire::link_config>(std::move(membership.link));
  // Undetached: dialling on loopback takes no time.
  node.directory = spawn_directory_undetached(system_, {membership.self});
  node.dialer = system_.spawn(dialer, node.stops_dials);
  node.software = runtime::software_name();
  route_.directory = node.directory;
  route_.self = node.link->self;
  route_.node = spawn_node(system_, std::move(node));
  route_.bootstrap = {crypto::address::parse(bootstrap).value()};
  route_.model = std::make_shared<route_model>(route_model{source->name(), source->digests(), ends_->hidden_size()});
}

driven_client::~driven_client() {
  caf::scoped_actor self{system_};
  self->monitor(route_.node);
  self->send(route_.node, stop_atom::value);
  self->receive([](const caf::down_msg&) {});
}

driven_route::driven_route(driven_client& client, route_options options, overheard ears) : self_{client.system_} {
  auto config = client.route_;
  options.blocks = {0, client.ends().num_blocks()};
  config.options = std::move(options);
  config.bans = spawn_bans(client.system_);
  ears_ = client.system_.spawn(hear_node, config.node, std::make_shared<const overheard>(std::move(ears)));
  config.node = caf::actor_cast<node_actor>(ears_);
  route_ = spawn_route(client.system_, std::move(config));
  self_->request(route_, patience_of_requests, open_atom::value).receive([](taken) {}, [](caf::error& e) { raise(e); });
}

driven_route::~driven_route() {
  self_->monitor(route_);
  self_->send(route_, close_atom::value);
  self_->receive([](const caf::down_msg&) {});
  self_->send_exit(ears_, caf::exit_reason::user_shutdown);
}

void driven_route::start(forward_request request) {
  using pending = decltype(self_->request(route_, patience_of_requests, forward_atom::value, forward_request{}));
  auto answer =
      std::make_shared<pending>(self_->request(route_, patience_of_requests, forward_atom::value, std::move(request)));
  finish_ = [answer] {
    model::tensor output;
    answer->receive([&](forward_reply& reply) { output = std::move(reply.hidden); }, [](caf::error& e) { raise(e); });
    return output;
  };
}

model::tensor driven_route::finish() {
  return finish_();
}

route_status driven_route::status() {
  route_status result;
  self_->request(route_, patience_of_requests, status_atom::value)
      .receive([&](route_status& answer) { result = std::move(answer); }, [](caf::error& e) { raise(e); });
  return result;
}

std::vector<session_status> driven_route::audit() {
  std::vector<session_status> result;
  self_->request(route_, patience_of_requests, audit_atom::value)
      .receive([&](std::vector<session_status>& all) { result = std::move(all); }, [](caf::error& e) { raise(e); });
  return result;
}

}  // namespace corolla::tests
