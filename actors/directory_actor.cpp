#include "actors/directory_actor.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "actors/spawn.hpp"
#include "actors/wire/convert.hpp"

namespace corolla::actors {
namespace {

using std::chrono::milliseconds;
using clock = caf::actor_clock;

/// How long a peer may take to say that it has a record.
constexpr auto push_timeout = std::chrono::seconds{10};

struct entry {
  server_record record;
  crypto::signed_record wire;
  milliseconds age{0};  // when it came
  clock::time_point received;
};
struct pending_publish {
  caf::typed_response_promise<taken> answer;
  uint32_t wanted = 0;
  uint32_t taken_by = 0;
};

struct directory_state {
  directory_state() = default;
  std::optional<directory_config> config;
  std::unordered_map<peer_id, entry> records;
  std::map<caf::actor_addr, std::pair<peer_id, peer_actor>> nodes;
  std::optional<server_record> own;
  std::optional<pending_publish> publishing;
  std::map<caf::actor_addr, directory_watcher_actor> watchers;
  static constexpr const char* name = "directory";
};
using self_pointer = directory_actor::stateful_pointer<directory_state>;

milliseconds age_of(self_pointer self, const entry& e) {
  return e.age + std::chrono::duration_cast<milliseconds>(self->clock().now() - e.received);
}

bool alive(self_pointer self, const entry& e) {
  return age_of(self, e) < e.record.lifetime;
}

signed_server_record as_it_travels(self_pointer self, const entry& e) {
  return {e.wire, age_of(self, e)};
}

void settle_publish(self_pointer self) {
  auto& publishing = self->state.publishing;
  if (!publishing || publishing->taken_by < publishing->wanted) return;
  publishing->answer.deliver(taken{});
  publishing.reset();
}

void push(self_pointer self, const entry& e, const peer_actor& to) {
  bool own = e.record.peer == self->state.config->self.peer();
  self->request(to, push_timeout, record_atom::value, as_it_travels(self, e))
      .then(
          [self, own](taken) {
            if (!own || !self->state.publishing) return;
            ++self->state.publishing->taken_by;
            settle_publish(self);
          },
          // A node that does not take it, or has gone, will ask for a snapshot when it is back.
          [](caf::error&) {});
}

void push_to_all(self_pointer self, const entry& e, const peer_id& except) {
  for (auto& [address, node] : self->state.nodes)
    if (node.first != except && node.first != e.record.peer) push(self, e, node.second);
}

void tell_watchers(self_pointer self) {
  for (auto& [address, watcher] : self->state.watchers) self->send(watcher, changed_atom::value);
}

void watch(self_pointer self, const directory_watcher_actor& watcher) {
  self->monitor(watcher);
  self->state.watchers.emplace(watcher.address(), watcher);
}

/// Whoever waits for a server, or plans over it, would decide otherwise.
bool differs_for_watchers(const server_record& before, const server_record& after) {
  return before.state != after.state || before.addresses != after.addresses || before.blocks != after.blocks ||
         before.blocks_digest != after.blocks_digest;
}

/// Replaces what is known of a server, if anything is.
void put(self_pointer self, entry e) {
  auto& records = self->state.records;
  auto found = records.find(e.record.peer);
  bool matters = found == records.end() || differs_for_watchers(found->second.record, e.record);
  auto peer = e.record.peer;
  records.insert_or_assign(peer, std::move(e));
  if (matters) tell_watchers(self);
}

/// Signs what this node serves with a number that is newer than any before, and tells everybody.
void announce(self_pointer self) {
  auto& state = self->state;
  auto& record = *state.own;
  auto wall_clock = std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  record.seq = std::max<uint64_t>(record.seq + 1, static_cast<uint64_t>(wall_clock.count()));
  record.peer = state.config->self.peer();
  put(self, {record, wire::sign(state.config->self, record), milliseconds{0}, self->clock().now()});
  push_to_all(self, state.records[record.peer], record.peer);
}

void forget_expired(self_pointer self) {
  if (std::erase_if(self->state.records, [&](auto& item) { return !alive(self, item.second); }) > 0)
    tell_watchers(self);
}

caf::result<bool> take(self_pointer self, signed_server_record& incoming, const peer_id& from) {
  auto& state = self->state;
  auto record = wire::verify(incoming.record);
  if (!record) return make_error(errc::bad_request, "a forged or malformed record");
  if (record->peer == state.config->self.peer()) return false;  // an echo
  record->lifetime = std::min(record->lifetime, state.config->max_lifetime);
  if (incoming.age >= record->lifetime) return false;
  auto found = state.records.find(record->peer);
  if (found != state.records.end() && found->second.record.seq >= record->seq) return false;
  if (found == state.records.end() && state.records.size() >= state.config->max_records) {
    forget_expired(self);
    if (state.records.size() >= state.config->max_records)
      return make_error(errc::overloaded, "the directory holds as many records as it may");
  }
  auto peer = record->peer;
  put(self, {std::move(*record), std::move(incoming.record), incoming.age, self->clock().now()});
  push_to_all(self, state.records[peer], from);
  return true;
}

void peer_up(self_pointer self, const link_info& info, const peer_actor& peer) {
  if (!info.is_server) return;
  self->monitor(peer);
  self->state.nodes.emplace(peer.address(), std::pair{info.peer, peer});
  for (auto& [id, e] : self->state.records)
    if (id != info.peer && alive(self, e)) push(self, e, peer);
}

void peer_down(self_pointer self, const caf::actor_addr& source) {
  self->state.watchers.erase(source);
  auto found = self->state.nodes.find(source);
  if (found == self->state.nodes.end()) return;
  if (self->state.records.erase(found->second.first) > 0) tell_watchers(self);
  self->state.nodes.erase(found);
}

template <class Result, class Function>
Result of_all_alive(self_pointer self, Function f) {
  Result result;
  for (auto& [id, e] : self->state.records)
    if (alive(self, e)) result.push_back(f(e));
  return result;
}

void tick(self_pointer self) {
  forget_expired(self);
  if (self->state.own) announce(self);
  auto period = self->state.own ? self->state.own->lifetime / 3 : milliseconds{20'000};
  self->delayed_send(self, period, tick_atom::value);
}

caf::result<taken> publish(self_pointer self, server_record& record, uint32_t acknowledgements) {
  auto& state = self->state;
  record.seq = state.own ? state.own->seq : 0;
  state.own = std::move(record);
  if (state.publishing) {
    state.publishing->answer.deliver(make_error(errc::cancelled, "published again before anybody took it"));
    state.publishing.reset();
  }
  auto answer = self->make_response_promise<taken>();
  state.publishing = pending_publish{answer, acknowledgements, 0};
  announce(self);
  settle_publish(self);
  return answer;
}

directory_actor::behavior_type directory(self_pointer self, const directory_config& config) {
  self->state.config = config;
  self->set_down_handler([self](caf::down_msg& down) { peer_down(self, down.source); });
  self->delayed_send(self, std::chrono::seconds{20}, tick_atom::value);
  return {
      [self](record_atom, signed_server_record& record, const peer_id& from) { return take(self, record, from); },
      [self](publish_atom, server_record& record, uint32_t acknowledgements) {
        return publish(self, record, acknowledgements);
      },
      [self](snapshot_atom) {
        return of_all_alive<std::vector<server_record>>(self, [](const entry& e) { return e.record; });
      },
      [self](find_atom, const peer_id& peer) -> caf::result<server_record> {
        auto found = self->state.records.find(peer);
        if (found == self->state.records.end() || !alive(self, found->second))
          return make_error(errc::unknown_peer, "no address is known that " + peer.to_string() + " announced");
        return found->second.record;
      },
      [self](record_atom) {
        return of_all_alive<std::vector<signed_server_record>>(
            self, [&](const entry& e) { return as_it_travels(self, e); });
      },
      [self](up_atom, const link_info& info, const peer_actor& peer) { peer_up(self, info, peer); },
      [self](watch_atom, const directory_watcher_actor& watcher) { watch(self, watcher); },
      [self](tick_atom) { tick(self); }};
}

}  // namespace

directory_actor spawn_directory(caf::actor_system& system, directory_config config) {
  // In its own thread: it checks a signature for each record that a peer cares to send, and steps must not wait for
  // that.
  return spawn_stateful<caf::detached>(system, directory, std::move(config));
}

}  // namespace corolla::actors
