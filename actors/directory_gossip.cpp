#include <algorithm>

#include "actors/directory_state.hpp"
#include "actors/wire/convert.hpp"

namespace corolla::actors::directory_parts {
namespace {

/// A server that is suspected answers a ping, or takes a link, within this time.
constexpr auto probe_timeout = std::chrono::seconds{1};
constexpr auto reconcile_timeout = std::chrono::seconds{5};
constexpr auto digest_pause = std::chrono::seconds{5};
/// Records that one neighbour's digests may draw: a full copy at once, and this share of one a second.
constexpr double copies_per_s = 1.0 / 16;

const neighbour* link_to(directory_pointer self, const peer_id& peer) {
  for (auto& [address, n] : self->state.neighbours)
    if (n.peer == peer) return &n;
  return nullptr;
}

void push_suspicion(directory_pointer self, const signed_suspicion& suspicion, const peer_id& except) {
  for (auto& [address, n] : self->state.neighbours)
    if (n.is_told && n.peer != except) self->send(n.actor, suspect_atom::value, suspicion);
}

/// The server with this record is gone, as far as this node can see.
void found_dead(directory_pointer self, const peer_id& peer, uint64_t seq) {
  auto& state = self->state;
  if (!state.gossip->bury(peer.bytes, seq, self->clock().now())) return;
  state.last_words.insert_or_assign(peer, state.records.at(peer).wire);
  ++state.counted.found_dead;
  drop(self, peer);
  set_timer(self);
}

void probe(directory_pointer self, const peer_id& peer) {
  auto& state = self->state;
  auto seq = state.records.at(peer).record.seq;
  auto alive = [self] { self->state.gossip->probed(); };
  auto dead = [self, peer, seq](caf::error&) {
    self->state.gossip->probed();
    found_dead(self, peer, seq);
  };
  if (auto link = link_to(self, peer))
    self->request(link->actor, probe_timeout, ping_atom::value).then([alive](const link_quality&) { alive(); }, dead);
  else
    self->request(state.connector, probe_timeout, connect_atom::value, peer)
        .then([alive](const peer_actor&) { alive(); }, dead);
}

/// Takes from a neighbour's allowance; false where nothing is left.
bool draw(directory_pointer self, neighbour& from) {
  auto now = self->clock().now();
  auto copy = static_cast<double>(self->state.config->limits.records);
  std::chrono::duration<double> passed = now - from.allowed_at;
  from.allowance = std::min(copy, from.allowance + passed.count() * copies_per_s * copy);
  from.allowed_at = now;
  if (from.allowance < 1) return false;
  from.allowance -= 1;
  return true;
}

}  // namespace

void remind(directory_pointer self, const peer_id& back) {
  const auto last = self->state.last_words.find(back);
  const auto link = link_to(self, back);
  if (last == self->state.last_words.end() || link == nullptr) return;
  self->request(link->actor, reconcile_timeout, record_atom::value, signed_server_record{last->second, {}})
      .then([](taken) {}, [](caf::error&) {});
}

bool neighbour_lost(directory_pointer self, const caf::actor_addr& source) {
  auto lost = self->state.neighbours.extract(source);
  return !lost.empty() && link_to(self, lost.mapped().peer) == nullptr;
}

void suspect(directory_pointer self, const peer_id& peer) {
  auto& state = self->state;
  auto found = state.records.find(peer);
  if (found == state.records.end() || found->second.record.state == server_state::gone) return;
  auto seq = found->second.record.seq;
  push_suspicion(self, {wire::sign(state.config->self, suspicion{peer, seq, {}})}, peer);
  found_dead(self, peer, seq);
}

void hear(directory_pointer self, const signed_suspicion& signed_by, const peer_id& from) {
  auto& state = self->state;
  auto heard = wire::verify(signed_by);
  if (!heard) {
    count_forged(self, state.counted.forged, from);
    return;
  }
  if (heard->signer == state.config->self.peer()) return;  // an echo
  // Nothing is left to find out about who said goodbye.
  if (auto held = state.records.find(heard->suspect);
      held != state.records.end() && held->second.record.state == server_state::gone)
    return;
  auto now = self->clock().now();
  // Servers pass on what they hear; a client speaks for itself alone.
  auto link = link_to(self, from);
  bool vouched = heard->signer == from || (link != nullptr && link->is_server) || state.records.contains(heard->signer);
  ++state.counted.suspicions;
  switch (state.gossip->judge({heard->suspect.bytes, heard->seq, from.bytes}, vouched, now)) {
    case policy::suspicion_verdict::refute:
      // Whoever suspects this node does so by a record that it has; one who has a newer one is told nothing new.
      if (auto own = state.records.find(heard->suspect);
          own == state.records.end() || own->second.record.seq > heard->seq)
        return;
      ++state.counted.refuted;
      state.pacer.refute(now);
      return set_timer(self);
    case policy::suspicion_verdict::probe:
      push_suspicion(self, signed_by, from);
      return probe(self, heard->suspect);
    case policy::suspicion_verdict::stale:
    case policy::suspicion_verdict::repeated:
      return;
    case policy::suspicion_verdict::stranger:
    case policy::suspicion_verdict::too_many:
      ++state.counted.refused_suspicions;
      return;
  }
}

digest_answer answer_digest(directory_pointer self, const policy::digest_range& range, const peer_id& from) {
  auto& state = self->state;
  tell_from_now(self, from);
  digest_answer answer;
  auto lack = state.gossip->compare(range, self->clock().now());
  auto link = std::find_if(
      state.neighbours.begin(), state.neighbours.end(), [&](auto& item) { return item.second.peer == from; });
  if (link == state.neighbours.end()) return answer;
  for (auto& id : lack.records) {
    auto found = state.records.find(peer_id{id});
    if (found == state.records.end()) continue;
    // What is cut off here comes with a later digest.
    if (!draw(self, link->second)) break;
    answer.records.push_back(as_it_travels(self, found->second));
  }
  for (auto& [id, seq] : lack.suspicions) {
    if (peer_id{id} == from) remind(self, from);
    answer.suspicions.push_back({wire::sign(state.config->self, suspicion{peer_id{id}, seq, {}})});
  }
  return answer;
}

void reconcile(directory_pointer self, const neighbour& with, caf::typed_response_promise<taken> answer) {
  ++self->state.counted.digests;
  self->request(with.actor, reconcile_timeout, snapshot_atom::value)
      .then(
          [answer](taken done) mutable { answer.deliver(done); },
          [answer](caf::error& reason) mutable { answer.deliver(std::move(reason)); });
}

void reconcile_one(directory_pointer self) {
  auto& state = self->state;
  state.next_digest = self->clock().now() + digest_pause;
  // By turns, in the order of their ids.
  const neighbour* next = nullptr;
  const neighbour* first = nullptr;
  for (auto& [address, n] : state.neighbours) {
    if (!n.is_told) continue;
    if (!first || n.peer < first->peer) first = &n;
    if (n.peer > state.last_digest_to && (!next || n.peer < next->peer)) next = &n;
  }
  if (!next) next = first;
  if (!next) return;
  state.last_digest_to = next->peer;
  ++state.counted.digests;
  self->request(next->actor, reconcile_timeout, snapshot_atom::value).then([](taken) {}, [](caf::error&) {});
}

void tell_from_now(directory_pointer self, const peer_id& peer) {
  for (auto& [address, n] : self->state.neighbours)
    if (n.peer == peer) n.is_told = true;
}

}  // namespace corolla::actors::directory_parts
