#include "actors/policy/gossip.hpp"

#include <algorithm>
#include <utility>

namespace corolla::actors::policy {
namespace {

using std::chrono::milliseconds;

gossip_prefix prefix_of(const gossip_id& id) {
  gossip_prefix prefix;
  std::copy_n(id.begin(), prefix.size(), prefix.begin());
  return prefix;
}

/// The first id that begins so.
gossip_id first_of(const gossip_prefix& prefix) {
  gossip_id id{};
  std::copy(prefix.begin(), prefix.end(), id.begin());
  return id;
}

gossip_prefix next_to(gossip_prefix prefix) {
  for (auto byte = prefix.rbegin(); byte != prefix.rend() && ++*byte == 0; ++byte) {
  }
  return prefix;
}

constexpr gossip_prefix last_prefix() {
  gossip_prefix prefix{};
  prefix.fill(0xff);
  return prefix;
}

}  // namespace

bool gossip::spend(entry& of, gossip_time now) const {
  std::chrono::duration<double> passed = now - of.refilled;
  of.tokens = std::min(limits_.owner_burst, of.tokens + passed.count() * limits_.owner_per_s);
  of.refilled = now;
  if (of.tokens < 1) return false;
  of.tokens -= 1;
  return true;
}

record_verdict gossip::take(const heard_record& record, gossip_time now) {
  auto lifetime = std::clamp(record.lifetime, milliseconds{0}, limits_.longest_life);
  if (record.age >= lifetime) return record_verdict::too_old;
  auto grave = tombstones_.find(record.owner);
  if (grave != tombstones_.end() && grave->second.seq >= record.seq) return record_verdict::buried;
  auto held = records_.find(record.owner);
  if (held == records_.end()) {
    if (records_.size() >= limits_.records && record.owner != self_) return record_verdict::full;
    held = records_.emplace(record.owner, entry{0, {}, {}, limits_.owner_burst, now}).first;
  } else if (held->second.seq >= record.seq) {
    return record_verdict::known;
  }
  auto& e = held->second;
  if (!spend(e, now) && record.owner != self_) return record_verdict::too_fast;
  e.seq = record.seq;
  e.lifetime = lifetime;
  e.born = now - std::max(record.age, milliseconds{0});
  if (grave != tombstones_.end()) tombstones_.erase(grave);
  return record_verdict::taken;
}

bool gossip::holds(const gossip_id& owner, uint64_t seq) const {
  auto found = records_.find(owner);
  return found != records_.end() && found->second.seq == seq;
}

bool gossip::found_dead(const gossip_id& owner) const {
  auto grave = tombstones_.find(owner);
  return grave != tombstones_.end() && grave->second.found_dead;
}

milliseconds gossip::age(const gossip_id& owner, gossip_time now) const {
  auto found = records_.find(owner);
  return found == records_.end() ? milliseconds{0} : std::chrono::duration_cast<milliseconds>(now - found->second.born);
}

void gossip::entomb(const gossip_id& owner, const entry& last, bool found_dead, gossip_time now) {
  if (tombstones_.size() >= limits_.tombstones && !tombstones_.contains(owner)) {
    // The one that would be forgotten next makes room.
    auto first = std::min_element(tombstones_.begin(), tombstones_.end(), [](auto& a, auto& b) {
      return a.second.forgotten < b.second.forgotten;
    });
    if (first != tombstones_.end()) tombstones_.erase(first);
  }
  tombstones_.insert_or_assign(owner, tombstone{last.seq, now + 2 * last.lifetime, found_dead});
}

bool gossip::bury(const gossip_id& owner, uint64_t seq, gossip_time now) {
  auto found = records_.find(owner);
  if (found == records_.end() || found->second.seq != seq) return false;
  entomb(owner, found->second, /*found_dead=*/true, now);
  records_.erase(found);
  return true;
}

std::vector<gossip_id> gossip::expire(gossip_time now) {
  std::vector<gossip_id> gone;
  for (auto e = records_.begin(); e != records_.end();) {
    if (e->second.ends() > now) {
      ++e;
      continue;
    }
    entomb(e->first, e->second, /*found_dead=*/false, now);
    gone.push_back(e->first);
    e = records_.erase(e);
  }
  std::erase_if(tombstones_, [&](auto& item) { return item.second.forgotten <= now; });
  std::erase_if(suspected_, [&](auto& item) { return now - item.second.second >= limits_.suspicion_pause; });
  std::erase_if(neighbours_, [&](auto& item) { return now - item.second.since >= limits_.neighbour_window; });
  return gone;
}

gossip_time gossip::next_expiry() const {
  auto next = gossip_time::max();
  for (auto& [owner, e] : records_) next = std::min(next, e.ends());
  for (auto& [owner, grave] : tombstones_) next = std::min(next, grave.forgotten);
  return next;
}

suspicion_verdict gossip::judge(const heard_suspicion& suspicion, bool vouched, gossip_time now) {
  if (suspicion.owner == self_) return suspicion_verdict::refute;
  if (!vouched) return suspicion_verdict::stranger;
  auto found = records_.find(suspicion.owner);
  if (found == records_.end() || found->second.seq > suspicion.seq) return suspicion_verdict::stale;
  auto seq = found->second.seq;
  auto last = suspected_.find(suspicion.owner);
  if (last != suspected_.end() && last->second.first == seq && now - last->second.second < limits_.suspicion_pause)
    return suspicion_verdict::repeated;
  // No more of them than links.
  auto& use = neighbours_.try_emplace(suspicion.from, neighbour_use{now, 0}).first->second;
  if (now - use.since >= limits_.neighbour_window) use = {now, 0};
  if (use.count >= limits_.neighbour_suspicions || probes_ >= limits_.probes) return suspicion_verdict::too_many;
  ++use.count;
  suspected_.insert_or_assign(suspicion.owner, std::pair{seq, now});
  ++probes_;
  return suspicion_verdict::probe;
}

std::vector<digest_range> gossip::digest() const {
  std::vector<digest_range> ranges(1);
  for (auto& [owner, e] : records_) {
    auto prefix = prefix_of(owner);
    if (ranges.back().entries.size() == max_digest_entries) {
      ranges.back().last = ranges.back().entries.back().owner;
      ranges.push_back({next_to(ranges.back().last), {}, {}});
    }
    ranges.back().entries.push_back({prefix, e.seq});
  }
  ranges.back().last = last_prefix();
  return ranges;
}

digest_lack gossip::compare(const digest_range& theirs, gossip_time now) const {
  digest_lack lack;
  std::map<gossip_prefix, uint64_t> listed;
  for (auto& e : theirs.entries) listed.insert_or_assign(e.owner, e.seq);
  for (auto own = records_.lower_bound(first_of(theirs.first)); own != records_.end(); ++own) {
    auto prefix = prefix_of(own->first);
    if (prefix > theirs.last) break;
    if (own->second.ends() <= now) continue;
    auto there = listed.find(prefix);
    if (there == listed.end() || there->second < own->second.seq) lack.records.push_back(own->first);
  }
  for (auto& [prefix, seq] : listed) {
    auto grave = tombstones_.lower_bound(first_of(prefix));
    if (grave == tombstones_.end() || prefix_of(grave->first) != prefix) continue;
    if (grave->second.found_dead && grave->second.seq >= seq) lack.suspicions.emplace_back(grave->first, seq);
  }
  return lack;
}

bool moved_by_a_quarter(const volatile_part& before, const volatile_part& after) {
  auto far = [](double a, double b) { return std::max(a, b) - std::min(a, b) >= 0.25; };
  if (far(before.load, after.load) || far(before.free_share, after.free_share)) return true;
  if (before.pings.size() != after.pings.size()) return true;
  return !std::equal(before.pings.begin(), before.pings.end(), after.pings.begin(), [](auto& a, auto& b) {
    auto [least, most] = std::minmax(a.second, b.second);
    return a.first == b.first && (most - least) * 4 < std::max(most, std::chrono::microseconds{1});
  });
}

void pacer::changed(change what, gossip_time now) {
  if (what == change::state) due_ = std::min(due_, now);
  if (what == change::moved) due_ = std::min(due_, sent_ ? std::max(now, last_ + moved_pause) : now);
}

void pacer::refute(gossip_time now) {
  if (!sent_) return;
  refuting_ = true;
  due_ = std::min(due_, std::max(now, last_refuted_ + refute_pause));
}

void pacer::sent(gossip_time now, milliseconds lifetime) {
  if (std::exchange(refuting_, false)) last_refuted_ = now;
  sent_ = true;
  last_ = now;
  due_ = now + lifetime / 3;
}

}  // namespace corolla::actors::policy
