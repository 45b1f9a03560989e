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

/// So many of those that hold the block after this node's: it announces how far they are, so that routes are planned by
/// it.
constexpr size_t wanted_behind = 8;

std::vector<peer_id> holders_of_the_next_block(const node_settings& settings, const std::vector<server_record>& all) {
  std::vector<peer_id> result;
  if (!settings.served) return result;
  const auto next = settings.served->blocks.end;
  for (auto& server : all)
    if (server.model == settings.served->digests.model && server.blocks.contains({next, next + 1}))
      result.push_back(server.peer);
  return result;
}

void link_to(node_pointer self, const peer_id& peer) {
  auto& state = self->state;
  if (state.links.contains(peer) || state.dialling.contains(peer)) return;
  self->request(node_actor{self}, connect_timeout, connect_atom::value, peer)
      .then(
          [](const peer_actor&) {},
          [self, peer](caf::error&) { self->state.shunned.insert_or_assign(peer, self->clock().now() + shunned_for); });
}

/// The first of them in the circle of ids, of those that are linked or may be dialled.
void link_to_some(node_pointer self, std::vector<peer_id> peers, size_t count) {
  auto& state = self->state;
  std::erase_if(
      peers, [&](const peer_id& peer) { return !state.links.contains(peer) && state.shunned.contains(peer); });
  for (auto& peer : policy::successors(state.settings->link->self, std::move(peers), count)) link_to(self, peer);
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
            for (auto& server : servers) others.push_back(server.peer);
            link_to_some(self, std::move(others), wanted);
            link_to_some(self, holders_of_the_next_block(*s.settings, servers), wanted_behind);
          },
          [](caf::error&) {});
}

}  // namespace corolla::actors::neighbours
