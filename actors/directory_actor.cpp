#include "actors/directory_actor.hpp"

#include <algorithm>

#include <caf/actor_system.hpp>

#include "actors/directory_state.hpp"
#include "actors/spawn.hpp"
#include "actors/wire/convert.hpp"

namespace corolla::actors {

using std::chrono::milliseconds;

namespace directory_parts {
namespace {

/// How long a peer may take to say that it has a record.
constexpr auto push_timeout = std::chrono::seconds{10};
/// A node without a link tells nobody of what it holds: the first digest's turn comes with the first link.
constexpr auto first_digest = std::chrono::seconds{5};
/// Of one link.
constexpr uint32_t most_forged = 16;

// -- telling ------------------------------------------------------------------------------------------------------

void settle_publish(directory_pointer self) {
  auto& publishing = self->state.publishing;
  if (!publishing || publishing->taken_by < publishing->wanted) return;
  publishing->answer.deliver(taken{});
  publishing.reset();
}

void push(directory_pointer self, const held_record& held, const peer_actor& to) {
  bool own = held.record.peer == self->state.config->self.peer();
  self->request(to, push_timeout, record_atom::value, as_it_travels(self, held))
      .then(
          [self, own](taken) {
            if (!own || !self->state.publishing) return;
            ++self->state.publishing->taken_by;
            settle_publish(self);
          },
          // What a node does not take, or has not heard because it has gone, a digest brings when it is back.
          [](caf::error&) {});
}

void tell_watchers(directory_pointer self) {
  for (auto& [address, watcher] : self->state.watchers) self->send(watcher, changed_atom::value);
}

void watch(directory_pointer self, const directory_watcher_actor& watcher) {
  self->monitor(watcher);
  self->state.watchers.emplace(watcher.address(), watcher);
}

/// Whoever waits for a server, or plans over it, would decide otherwise.
bool differs_for_watchers(const server_record& before, const server_record& after) {
  return before.state != after.state || before.addresses != after.addresses || before.blocks != after.blocks ||
         before.blocks_digest != after.blocks_digest;
}

bool is_there(directory_pointer self, const held_record& held) {
  auto age = self->state.gossip->age(held.record.peer.bytes, self->clock().now());
  return held.record.state != server_state::gone &&
         age < std::min(held.record.lifetime, self->state.config->limits.longest_life);
}

/// Whoever waits for this record has it.
void settle_finds(directory_pointer self, const held_record& held) {
  if (!is_there(self, held)) return;
  std::erase_if(self->state.finding, [&](pending_find& find) {
    if (find.peer != held.record.peer) return false;
    find.answer.deliver(held.record);
    return true;
  });
}

/// What gossip took takes the place of what was held of that server.
const held_record& put(directory_pointer self, held_record held) {
  auto& records = self->state.records;
  auto peer = held.record.peer;
  auto found = records.find(peer);
  bool matters = found == records.end() ? held.record.state != server_state::gone
                                        : differs_for_watchers(found->second.record, held.record);
  auto& stored = records.insert_or_assign(peer, std::move(held)).first->second;
  if (matters) tell_watchers(self);
  settle_finds(self, stored);
  return stored;
}

// -- what this node serves ----------------------------------------------------------------------------------------

policy::volatile_part volatile_of(const server_record& record) {
  policy::volatile_part part;
  part.load = record.load;
  part.free_share = record.cache_tokens == 0 ? 0 : static_cast<double>(record.free_tokens) / record.cache_tokens;
  for (auto& ping : record.pings) part.pings.emplace(ping.peer.bytes, ping.round_trip);
  return part;
}

bool same_but_for_figures(const server_record& a, const server_record& b) {
  return !differs_for_watchers(a, b) && a.model == b.model && a.model_name == b.model_name &&
         a.model_blocks == b.model_blocks && a.dtype == b.dtype && a.cache_tokens == b.cache_tokens &&
         a.steps_per_s == b.steps_per_s && a.forward_per_s == b.forward_per_s && a.numerics == b.numerics &&
         a.adapters == b.adapters && a.software == b.software && a.lifetime == b.lifetime;
}

/// Signs what this node serves with a number that is newer than any before, and tells everybody.
void announce(directory_pointer self) {
  auto& state = self->state;
  auto now = self->clock().now();
  auto& record = *state.own;
  auto wall_clock = std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  record.seq = std::max({state.least_seq, record.seq + 1, static_cast<uint64_t>(wall_clock.count())});
  record.peer = state.config->self.peer();
  state.gossip->take({record.peer.bytes, record.seq, record.lifetime, milliseconds{0}}, now);
  push_to_all(self, put(self, {record, wire::sign(state.config->self, record)}), record.peer);
  state.pacer.sent(now, record.lifetime);
}

caf::result<taken> publish(directory_pointer self, server_record& record, uint32_t acknowledgements) {
  auto& state = self->state;
  auto self_id = state.config->self.peer();
  record.peer = self_id;
  record.seq = state.own ? state.own->seq : 0;
  state.own = std::move(record);
  state.leaving = false;
  auto now = self->clock().now();
  auto last = state.records.find(self_id);
  using change = policy::pacer::change;
  if (acknowledgements > 0 || last == state.records.end() || !same_but_for_figures(last->second.record, *state.own))
    state.pacer.changed(change::state, now);
  else if (policy::moved_by_a_quarter(volatile_of(last->second.record), volatile_of(*state.own)))
    state.pacer.changed(change::moved, now);
  auto answer = self->make_response_promise<taken>();
  if (acknowledgements == 0) {
    answer.deliver(taken{});
  } else {
    if (state.publishing)
      state.publishing->answer.deliver(make_error(errc::cancelled, "published again before anybody took it"));
    state.publishing = pending_publish{answer, acknowledgements, 0};
  }
  if (state.pacer.due() <= now) announce(self);
  set_timer(self);
  return answer;
}

/// The last word: the links that end now end because of this node.
caf::result<taken> withdraw(directory_pointer self) {
  auto& state = self->state;
  state.leaving = true;
  if (!state.own) return taken{};
  state.own->state = server_state::gone;
  announce(self);
  state.own.reset();
  state.pacer.stop();
  return taken{};
}

// -- what others serve --------------------------------------------------------------------------------------------

/// What this node said in an earlier life, whose clock was ahead, would be believed rather than what it says now.
void outdo(directory_pointer self, uint64_t seq) {
  auto& state = self->state;
  state.least_seq = std::max(state.least_seq, seq + 1);
  if (!state.own || state.own->seq > seq) return;
  state.pacer.refute(self->clock().now());
  set_timer(self);
}

uint64_t& counter_of(directory_status& counted, policy::record_verdict verdict) {
  switch (verdict) {
    case policy::record_verdict::taken:
      return counted.taken;
    case policy::record_verdict::known:
      return counted.known;
    case policy::record_verdict::buried:
      return counted.buried;
    case policy::record_verdict::too_old:
      return counted.too_old;
    case policy::record_verdict::too_fast:
      return counted.too_fast;
    case policy::record_verdict::full:
      break;
  }
  return counted.full;
}

void expire(directory_pointer self) {
  auto& state = self->state;
  for (auto& id : state.gossip->expire(self->clock().now())) drop(self, peer_id{id});
  std::erase_if(state.last_words, [&](auto& last) { return !state.gossip->found_dead(last.first.bytes); });
}

/// This record, or a newer one of its owner, is held: by what it says of itself, since to verify costs a hundred times
/// as much.  A forgery that says so is not found out, and changes nothing.
bool is_known(directory_pointer self, const crypto::signed_record& record) {
  auto& state = self->state;
  auto claim = wire::claim_of(record);
  if (!claim || claim->owner == state.config->self.peer()) return false;
  auto held = state.records.find(claim->owner);
  return held != state.records.end() && held->second.record.seq >= claim->seq;
}

caf::result<bool> take(directory_pointer self, signed_server_record& incoming, const peer_id& from) {
  auto& state = self->state;
  if (is_known(self, incoming.record)) {
    ++state.counted.known;
    return false;
  }
  auto record = wire::verify(incoming.record);
  if (!record) {
    count_forged(self, state.counted.forged, from);
    return make_error(errc::bad_request, "a forged or malformed record");
  }
  if (record->peer == state.config->self.peer()) {
    outdo(self, record->seq);
    return false;
  }
  auto now = self->clock().now();
  policy::heard_record heard{record->peer.bytes, record->seq, record->lifetime, incoming.age};
  auto verdict = state.gossip->take(heard, now);
  if (verdict == policy::record_verdict::full) {
    expire(self);
    verdict = state.gossip->take(heard, now);
  }
  ++counter_of(state.counted, verdict);
  if (verdict == policy::record_verdict::buried && record->peer == from) remind(self, from);
  if (verdict == policy::record_verdict::full)
    return make_error(errc::overloaded, "the directory holds as many records as it may");
  if (verdict != policy::record_verdict::taken) return false;
  state.timer.set(self, now + std::min(record->lifetime, state.config->limits.longest_life));
  push_to_all(self, put(self, {std::move(*record), std::move(incoming.record)}), from);
  return true;
}

// -- links --------------------------------------------------------------------------------------------------------

caf::result<taken> peer_up(directory_pointer self, const link_info& info, const peer_actor& peer) {
  auto& state = self->state;
  auto now = self->clock().now();
  self->monitor(peer);
  auto allowance = static_cast<double>(state.config->limits.records);
  auto& stored = state.neighbours[peer.address()];
  stored = neighbour{info.peer, peer, info.is_server, info.is_server, allowance, now};
  if (!info.is_server) return taken{};
  // Whoever waits for its record to be taken need not wait for a digest.
  if (auto own = state.records.find(state.config->self.peer()); state.publishing && own != state.records.end())
    push(self, own->second, peer);
  if (state.next_digest == policy::gossip_time::max()) state.next_digest = now + first_digest;
  set_timer(self);
  auto answer = self->make_response_promise<taken>();
  reconcile(self, stored, answer);
  return answer;
}

void went_down(directory_pointer self, const caf::actor_addr& source) {
  auto& state = self->state;
  if (state.watchers.erase(source) > 0) return;
  auto found = state.neighbours.find(source);
  if (found == state.neighbours.end()) return;
  auto peer = found->second.peer;
  if (neighbour_lost(self, source) && !state.leaving) suspect(self, peer);
}

// -- the actor ----------------------------------------------------------------------------------------------------

caf::error not_known(const peer_id& peer) {
  return make_error(errc::unknown_peer, "no address is known that " + peer.to_string() + " announced");
}

void give_up_finds(directory_pointer self, policy::gossip_time now) {
  std::erase_if(self->state.finding, [&](pending_find& find) {
    if (find.until > now) return false;
    find.answer.deliver(not_known(find.peer));
    return true;
  });
}

void tick(directory_pointer self) {
  auto& state = self->state;
  state.timer.rang();
  auto now = self->clock().now();
  expire(self);
  if (state.own && state.pacer.due() <= now) announce(self);
  if (state.next_digest <= now) reconcile_one(self);
  give_up_finds(self, now);
  set_timer(self);
}

caf::result<server_record> find(directory_pointer self, const peer_id& peer, milliseconds patience) {
  auto& state = self->state;
  auto found = state.records.find(peer);
  if (found != state.records.end() && is_there(self, found->second)) return found->second.record;
  if (patience <= milliseconds{0}) return not_known(peer);
  auto answer = self->make_response_promise<server_record>();
  state.finding.push_back({peer, self->clock().now() + patience, answer});
  set_timer(self);
  return answer;
}

directory_status status(directory_pointer self) {
  auto result = self->state.counted;
  result.records = self->state.records.size();
  result.tombstones = self->state.gossip->tombstones();
  return result;
}

directory_actor::behavior_type directory(directory_pointer self, const directory_config& config) {
  self->state.config = config;
  self->state.gossip.emplace(config.self.peer().bytes, config.limits);
  self->set_down_handler([self](caf::down_msg& down) { went_down(self, down.source); });
  return {
      [self](record_atom, signed_server_record& record, const peer_id& from) { return take(self, record, from); },
      [self](publish_atom, server_record& record, uint32_t acknowledgements) {
        return publish(self, record, acknowledgements);
      },
      [self](withdraw_atom) { return withdraw(self); },
      [self](snapshot_atom) {
        std::vector<server_record> result;
        for (auto& [peer, held] : self->state.records)
          if (is_there(self, held)) result.push_back(held.record);
        return result;
      },
      [self](find_atom, const peer_id& peer, milliseconds patience) { return find(self, peer, patience); },
      [self](record_atom, const peer_id& newcomer) {
        auto everything = policy::digest_range{};
        everything.last.fill(0xff);
        return answer_digest(self, everything, newcomer).records;
      },
      [self](digest_atom) { return self->state.gossip->digest(); },
      [self](digest_atom, const policy::digest_range& range, const peer_id& from) {
        return answer_digest(self, range, from);
      },
      [self](suspect_atom, const signed_suspicion& suspicion, const peer_id& from) { hear(self, suspicion, from); },
      [self](refused_atom, const peer_id& from) { count_forged(self, self->state.counted.unreadable, from); },
      [self](up_atom, const link_info& info, const peer_actor& peer) { return peer_up(self, info, peer); },
      [self](connect_atom, connector_actor& connector) { self->state.connector = std::move(connector); },
      [self](status_atom) { return status(self); },
      [self](watch_atom, const directory_watcher_actor& watcher) { watch(self, watcher); },
      [self](tick_atom) { tick(self); }};
}

}  // namespace

void drop(directory_pointer self, const peer_id& peer) {
  auto dropped = self->state.records.extract(peer);
  if (!dropped.empty() && dropped.mapped().record.state != server_state::gone) tell_watchers(self);
}

void count_forged(directory_pointer self, uint64_t& counter, const peer_id& from) {
  ++counter;
  // Honest peers pass on only what they have verified.
  for (auto& [address, n] : self->state.neighbours)
    if (n.peer == from && ++n.forged == most_forged)
      self->send(n.actor, close_atom::value, errc::protocol_violation, "forged records");
}

void push_to_all(directory_pointer self, const held_record& held, const peer_id& except) {
  for (auto& [address, n] : self->state.neighbours)
    if (n.is_told && n.peer != except && n.peer != held.record.peer) push(self, held, n.actor);
}

signed_server_record as_it_travels(directory_pointer self, const held_record& held) {
  return {held.wire, self->state.gossip->age(held.record.peer.bytes, self->clock().now())};
}

void set_timer(directory_pointer self) {
  auto& state = self->state;
  state.timer.set(self, std::min({state.pacer.due(), state.next_digest, state.gossip->next_expiry()}));
  for (auto& find : state.finding) state.timer.set(self, find.until);
}

}  // namespace directory_parts

directory_actor spawn_directory(caf::actor_system& system, directory_config config) {
  return spawn_stateful<caf::detached>(system, directory_parts::directory, std::move(config));
}

directory_actor spawn_directory_undetached(caf::actor_system& system, directory_config config) {
  return spawn_stateful(system, directory_parts::directory, std::move(config));
}

}  // namespace corolla::actors
