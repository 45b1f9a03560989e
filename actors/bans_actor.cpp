#include "actors/bans_actor.hpp"

#include <optional>

#include <caf/actor_system.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/spawn.hpp"

namespace corolla::actors {
namespace {

struct bans_state {
  bans_state() = default;
  std::optional<policy::ban_list> list;
  static constexpr const char* name = "bans";
};
using self_pointer = bans_actor::stateful_pointer<bans_state>;

bans_actor::behavior_type bans(self_pointer self, const policy::ban_options& options) {
  self->state.list.emplace(options);
  return {
      [self](offence_atom, const peer_id& peer) { self->state.list->offence(peer.bytes, self->clock().now()); },
      [self](success_atom, const peer_id& peer) { self->state.list->success(peer.bytes); },
      [self](snapshot_atom) {
        std::vector<peer_id> result;
        for (auto& key : self->state.list->all_banned(self->clock().now())) result.push_back(peer_id{key});
        return result;
      }};
}

}  // namespace

bans_actor spawn_bans(caf::actor_system& system, policy::ban_options options) {
  return spawn_stateful(system, bans, options);
}

bool is_offence(errc code) {
  switch (code) {
    case errc::unreachable:
    case errc::wrong_peer:
    case errc::link_lost:
    case errc::timed_out:
    case errc::compute_failed:
    case errc::protocol_violation:
      return true;
    default:
      return false;
  }
}

}  // namespace corolla::actors
