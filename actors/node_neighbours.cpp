#include "actors/node_neighbours.hpp"

#include <algorithm>

#include "actors/policy/ring.hpp"

namespace corolla::actors::neighbours {
namespace {

constexpr size_t wanted = 2;
constexpr auto answer_timeout = std::chrono::seconds{5};
constexpr auto connect_timeout = std::chrono::seconds{15};
/// One that could not be reached, behind a wall say, is not tried again for so long: the next one takes its place.
constexpr auto shunned_for = std::chrono::minutes{5};

void link_to(node_pointer self, const peer_id& peer) {
  auto& state = self->state;
  if (state.links.contains(peer) || state.dialling.contains(peer)) return;
  self->request(node_actor{self}, connect_timeout, connect_atom::value, peer)
      .then(
          [](const peer_actor&) {},
          [self, peer](caf::error&) { self->state.shunned.insert_or_assign(peer, self->clock().now() + shunned_for); });
}

}  // namespace

void tend(node_pointer self) {
  auto& state = self->state;
  if (state.stopping || !state.settings->link->is_server) return;
  std::erase_if(state.shunned, [&](auto& item) { return item.second <= self->clock().now(); });
  self->request(state.settings->directory, answer_timeout, snapshot_atom::value)
      .then(
          [self](const std::vector<server_record>& servers) {
            auto& s = self->state;
            if (s.stopping) return;
            std::vector<peer_id> others;
            for (auto& server : servers)
              // One that is linked anyway need not be reached.
              if (s.links.contains(server.peer) || !s.shunned.contains(server.peer)) others.push_back(server.peer);
            for (auto& peer : policy::successors(s.settings->link->self, std::move(others), wanted))
              link_to(self, peer);
          },
          [](caf::error&) {});
}

}  // namespace corolla::actors::neighbours
