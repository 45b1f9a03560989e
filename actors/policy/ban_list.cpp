#include "actors/policy/ban_list.hpp"

#include <algorithm>

namespace corolla::actors::policy {

void ban_list::offence(const peer_key& who, time_point now) {
  forget_old(now);
  auto known = offenders_.find(who);
  if (known == offenders_.end()) {
    if (options_.max_servers == 0) return;
    if (offenders_.size() >= options_.max_servers)
      offenders_.erase(std::min_element(offenders_.begin(), offenders_.end(), [](const auto& a, const auto& b) {
        return a.second.until < b.second.until;
      }));
    known = offenders_.emplace(who, offender{}).first;
  } else if (now - known->second.last < options_.same_event) {
    return;
  }
  auto& it = known->second;
  ++it.count;
  it.last = now;
  it.until = now + length_of(it.count);
}

void ban_list::success(const peer_key& who) {
  offenders_.erase(who);
}

std::optional<ban_list::time_point> ban_list::banned_until(const peer_key& who, time_point now) const {
  auto known = offenders_.find(who);
  if (known == offenders_.end() || known->second.until <= now) return std::nullopt;
  return known->second.until;
}

std::vector<peer_key> ban_list::all_banned(time_point now) const {
  std::vector<peer_key> result;
  for (const auto& [who, it] : offenders_)
    if (it.until > now) result.push_back(who);
  return result;
}

void ban_list::forget_old(time_point now) {
  std::erase_if(offenders_, [&](const auto& entry) { return entry.second.until + options_.memory <= now; });
}

ban_list::time_point::duration ban_list::length_of(uint32_t count) const {
  auto length = options_.first;
  // Doubled until it is long enough, and never beyond: no count overflows.
  for (uint32_t i = 1; i < count && length < options_.longest; ++i) length *= 2;
  return std::min(length, options_.longest);
}

}  // namespace corolla::actors::policy
