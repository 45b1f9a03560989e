#include "actors/probe_actor.hpp"

#include <list>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/alarm.hpp"
#include "actors/spawn.hpp"

namespace corolla::actors {
namespace {

constexpr auto pause = std::chrono::seconds{10};
/// When a link comes up both sides are busy with it.
constexpr uint32_t first_pings = 3;
constexpr auto ping_timeout = std::chrono::seconds{2};
constexpr auto connect_timeout = std::chrono::seconds{8};
/// Who could not be reached is not looked for again for so long: a record may lead nowhere, and nobody should wait for
/// that each time.
constexpr auto shunned_for = std::chrono::minutes{1};

struct way {
  peer_actor peer;
  std::optional<link_quality> known;
  uint32_t at_once = 0;  // pings that follow the one under way
};

/// Somebody who wants to hear of these servers.
struct waiter {
  std::set<peer_id> missing;
  alarm::time_point until;
  caf::typed_response_promise<std::vector<ping_time>> answer;
};

struct probe_state {
  probe_state() = default;
  connector_actor connector;
  std::map<peer_id, way> ways;  // to linked servers
  std::list<waiter> waiters;
  std::map<peer_id, alarm::time_point> shunned;  // until then
  alarm::time_point next_round = alarm::never;
  alarm timer;
  static constexpr const char* name = "probe";
};
using probe_pointer = probe_actor::stateful_pointer<probe_state>;

std::vector<ping_time> snapshot(const probe_state& state) {
  std::vector<ping_time> result;
  for (auto& [peer, w] : state.ways)
    if (w.known) result.push_back({peer, w.known->round_trip, w.known->bytes_per_s});
  return result;
}

/// Nothing (more) will be known of a server: those who wait for others go on waiting.
void settle(probe_state& state, const peer_id& peer) {
  for (auto w = state.waiters.begin(); w != state.waiters.end();) {
    w->missing.erase(peer);
    if (!w->missing.empty()) {
      ++w;
      continue;
    }
    w->answer.deliver(snapshot(state));
    w = state.waiters.erase(w);
  }
}

/// A moving average that falls at once, since whatever disturbs a ping only adds to it.
std::chrono::microseconds averaged(std::chrono::microseconds known, std::chrono::microseconds now) {
  return now < known ? now : (known * 3 + now) / 4;
}

void ping(probe_pointer self, const peer_id& peer);

void measured(probe_pointer self, const peer_id& peer, const link_quality& now) {
  auto& state = self->state;
  auto found = state.ways.find(peer);
  if (found == state.ways.end()) return;
  auto& [actor, known, at_once] = found->second;
  // Of the bandwidth the link keeps an average itself.
  known = link_quality{known ? averaged(known->round_trip, now.round_trip) : now.round_trip, now.bytes_per_s};
  if (at_once > 0) {
    --at_once;
    return ping(self, peer);
  }
  settle(state, peer);
}

void ping(probe_pointer self, const peer_id& peer) {
  self->request(self->state.ways.at(peer).peer, ping_timeout, ping_atom::value)
      .then(
          [self, peer](const link_quality& quality) { measured(self, peer, quality); },
          [self, peer](const caf::error&) { settle(self->state, peer); });
}

void link_up(probe_pointer self, const peer_id& peer, const peer_actor& actor) {
  auto& state = self->state;
  state.shunned.erase(peer);
  state.ways.insert_or_assign(peer, way{actor, std::nullopt, first_pings - 1});
  self->monitor(actor);
  ping(self, peer);
  if (state.next_round != alarm::never) return;
  state.next_round = self->clock().now() + pause;
  state.timer.set(self, state.next_round);
}

void link_down(probe_state& state, const caf::actor_addr& source) {
  for (auto& [peer, w] : state.ways)
    if (w.peer.address() == source) {
      const auto gone = peer;
      state.ways.erase(gone);
      return settle(state, gone);
    }
}

caf::result<std::vector<ping_time>> look(
    probe_pointer self, const std::vector<peer_id>& wanted, std::chrono::milliseconds patience) {
  auto& state = self->state;
  waiter w;
  std::erase_if(state.shunned, [now = self->clock().now()](auto& item) { return item.second <= now; });
  for (auto& peer : wanted)
    if (auto found = state.ways.find(peer);
        !state.shunned.contains(peer) && (found == state.ways.end() || !found->second.known))
      w.missing.insert(peer);
  if (w.missing.empty()) return snapshot(state);
  w.until = self->clock().now() + patience;
  w.answer = self->make_response_promise<std::vector<ping_time>>();
  auto promise = w.answer;
  const auto missing = w.missing;
  state.timer.set(self, w.until);
  state.waiters.push_back(std::move(w));
  // A link that comes up is told, and pinged.
  for (auto& peer : missing)
    if (!state.ways.contains(peer))
      self->request(state.connector, connect_timeout, connect_atom::value, peer)
          .then(
              [](const peer_actor&) {},
              [self, peer](const caf::error&) {
                self->state.shunned.insert_or_assign(peer, self->clock().now() + shunned_for);
                settle(self->state, peer);
              });
  return promise;
}

void tick(probe_pointer self) {
  auto& state = self->state;
  const auto now = self->clock().now();
  state.timer.rang();
  if (now >= state.next_round) {
    state.next_round = state.ways.empty() ? alarm::never : now + pause;
    for (auto& entry : state.ways) ping(self, entry.first);
  }
  for (auto w = state.waiters.begin(); w != state.waiters.end();) {
    if (now < w->until) {
      state.timer.set(self, w->until);
      ++w;
      continue;
    }
    w->answer.deliver(snapshot(state));
    w = state.waiters.erase(w);
  }
  state.timer.set(self, state.next_round);
}

probe_actor::behavior_type probe(probe_pointer self, connector_actor connector) {
  self->state.connector = std::move(connector);
  self->monitor(self->state.connector);
  self->set_down_handler([self](const caf::down_msg& down) {
    if (down.source == self->state.connector.address()) return self->quit();
    link_down(self->state, down.source);
  });
  return {
      [self](up_atom, const peer_id& peer, const peer_actor& actor) { link_up(self, peer, actor); },
      [self](snapshot_atom) { return snapshot(self->state); },
      [self](snapshot_atom, const std::vector<peer_id>& wanted, std::chrono::milliseconds patience) {
        return look(self, wanted, patience);
      },
      [self](tick_atom) { tick(self); }};
}

}  // namespace

probe_actor spawn_probe(caf::actor_system& system, connector_actor connector) {
  return spawn_stateful(system, probe, std::move(connector));
}

}  // namespace corolla::actors
