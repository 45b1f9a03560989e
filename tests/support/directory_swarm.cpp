#include "tests/support/directory_swarm.hpp"

#include <algorithm>
#include <stdexcept>

#include <caf/typed_event_based_actor.hpp>

#include "actors/directory_actor.hpp"
#include "actors/wire/peer.hpp"
#include "tests/support/link_ends.hpp"

namespace corolla::tests {

using namespace actors;

namespace {

/// Dials nobody: links are made by the test.
dialer_actor::behavior_type no_dialer(dialer_actor::pointer) {
  return {[](dial_atom, const std::string&, uint16_t) -> caf::result<int> {
    return make_error(errc::unreachable, "nobody dials here");
  }};
}

/// A suspect that is not reachable never answers, as a machine that is gone.  No handle is needed of one that is.
connector_actor::behavior_type connector(
    connector_actor::pointer self, const std::shared_ptr<std::set<peer_id>>& reachable) {
  return {
      [self, reachable](connect_atom, const peer_id& peer) -> caf::result<peer_actor> {
        auto answer = self->make_response_promise<peer_actor>();
        if (reachable->contains(peer)) answer.deliver(peer_actor{});
        return answer;
      },
      [](connect_atom, const peer_id&, std::chrono::milliseconds) -> caf::result<peer_actor> {
        return make_error(errc::bad_request, "a directory does not wait for records");
      }};
}

}  // namespace

directory_swarm::~directory_swarm() {
  for (auto& [ends, links] : links_)
    for (auto& link : {links.dialler, links.other}) caf::anon_send_exit(link, caf::exit_reason::kill);
  for (size_t n = 0; n < members_.size(); ++n) stop(n);
  time_.settle();
}

size_t directory_swarm::add(bool is_server, const crypto::identity* identity, policy::gossip_limits limits) {
  node_end end;
  auto self = identity ? *identity : end.identity;
  end.config.self = self.peer();
  end.config.is_server = is_server;
  end.config.instance = members_.size() + 1;
  auto& system = time_.system();
  member added{self, end.shared(), spawn_directory_undetached(system, {self, limits}), {}};
  node_settings settings;
  settings.link = added.config;
  settings.directory = added.directory;
  settings.dialer = system.spawn(no_dialer);
  settings.software = "test/1";
  added.node = spawn_node(system, std::move(settings));
  time_.settle();
  caf::anon_send(added.directory, connect_atom::value, connector_actor{system.spawn(connector, reachable_)});
  reachable_->insert(self.peer());
  members_.push_back(std::move(added));
  time_.settle();
  return members_.size() - 1;
}

void directory_swarm::pass(std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds step{25};
  for (; time > step; time -= step) time_.pass(step);
  time_.pass(time);
}

memory_links& directory_swarm::link(size_t dialler, size_t other, bool tamperable) {
  auto owner = [this](size_t n) {
    return [this, n](const wire::link_actor& link, const link_info& info) -> wire::frame_sink_actor {
      auto& m = members_[n];
      auto peer = wire::spawn_peer(time_.system(), link, info, {m.node, m.directory});
      peers_.push_back(caf::actor_cast<caf::weak_actor_ptr>(peer));
      return peer;
    };
  };
  auto& links = links_[{dialler, other}];
  for (auto& old : {links.dialler, links.other})
    if (old) caf::anon_send_exit(old, caf::exit_reason::kill);
  time_.settle();
  links = connect_in_memory(
      time_.system(), {members_[dialler].config, owner(dialler), tamperable},
      {members_[other].config, owner(other), tamperable});
  time_.settle();
  return links;
}

void directory_swarm::cut(size_t a, size_t b) {
  for (auto& [ends, links] : links_)
    if (ends == std::pair{a, b} || ends == std::pair{b, a}) links.there->cut = links.back->cut = true;
}

void directory_swarm::end(size_t a, size_t b) {
  for (auto& [ends, links] : links_)
    if (ends == std::pair{a, b} || ends == std::pair{b, a}) caf::anon_send_exit(links.dialler, caf::exit_reason::kill);
  time_.settle();
}

void directory_swarm::lose(size_t n) {
  for (auto& [ends, links] : links_)
    if (ends.first == n || ends.second == n) links.there->cut = links.back->cut = true;
  reachable_->erase(members_[n].id());
}

void directory_swarm::kill(size_t n) {
  reachable_->erase(members_[n].id());
  for (auto& [ends, links] : links_)
    if (ends.first == n || ends.second == n)
      caf::anon_send_exit(ends.first == n ? links.dialler : links.other, caf::exit_reason::kill);
  stop(n);
  time_.settle();
}

void directory_swarm::stop(size_t n) {
  caf::anon_send_exit(members_[n].node, caf::exit_reason::kill);
  caf::anon_send_exit(members_[n].directory, caf::exit_reason::kill);
  members_[n].node = nullptr;
  members_[n].directory = nullptr;
}

server_record directory_swarm::record(uint8_t model, uint32_t begin, uint32_t end) {
  server_record result;
  result.addresses = {"127.0.0.1:1"};
  result.model_name = "model " + std::to_string(model);
  result.model[0] = model;
  result.blocks_digest[0] = model;
  result.model_blocks = 4;
  result.blocks = {begin, end};
  result.cache_tokens = result.free_tokens = 1000;
  result.steps_per_s = 100;
  result.software = "test/1";
  return result;
}

void directory_swarm::publish(size_t n, const server_record& what) {
  auto answer = me_.ask<taken>(members_[n].directory, publish_atom::value, what, uint32_t{0});
  if (!answer->value) throw std::runtime_error(answer->text());
}

std::vector<server_record> directory_swarm::snapshot(size_t n) {
  return me_.ask<std::vector<server_record>>(members_[n].directory, snapshot_atom::value)->value.value();
}

bool directory_swarm::knows(size_t n, size_t other) {
  auto all = snapshot(n);
  return std::any_of(all.begin(), all.end(), [&](auto& r) { return r.peer == members_[other].id(); });
}

directory_status directory_swarm::status(size_t n) {
  return me_.ask<directory_status>(members_[n].directory, status_atom::value)->value.value();
}

}  // namespace corolla::tests
