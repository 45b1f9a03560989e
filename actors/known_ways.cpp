#include "actors/known_ways.hpp"

#include <algorithm>
#include <map>

namespace corolla::actors {
namespace {

/// With nothing measured every way counts alike.
constexpr double assumed_at_first = 0.001;

double median(std::vector<double> values, double if_none) {
  if (values.empty()) return if_none;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

known_ways::known_ways(const std::vector<const server_record*>& servers, std::vector<double> others)
    : announced_(servers.size()) {
  // Ordered, not hashed: strangers choose their ids.
  std::map<peer_id, uint32_t> places;
  for (size_t i = 0; i < servers.size(); ++i) places.emplace(servers[i]->peer, static_cast<uint32_t>(i));
  for (size_t i = 0; i < servers.size(); ++i) {
    auto& list = announced_[i];
    for (auto& ping : servers[i]->pings) {
      auto other = places.find(ping.peer);
      if (other == places.end() || ping.round_trip.count() < 0) continue;
      list.emplace_back(other->second, std::chrono::duration<double>(ping.round_trip).count());
      others.push_back(list.back().second);
    }
    std::sort(list.begin(), list.end());
  }
  assumed_ = median(std::move(others), assumed_at_first);
  least_.assign(servers.size(), assumed_);
  for (size_t i = 0; i < servers.size(); ++i)
    for (auto [other, time] : announced_[i]) {
      least_[i] = std::min(least_[i], time);
      least_[other] = std::min(least_[other], time);
    }
}

std::optional<double> known_ways::announced(size_t by, size_t of) const {
  const auto& list = announced_[by];
  auto found = std::lower_bound(
      list.begin(), list.end(), of, [](const auto& entry, size_t place) { return entry.first < place; });
  if (found == list.end() || found->first != of) return std::nullopt;
  return found->second;
}

std::optional<double> known_ways::measured(size_t from, size_t to) const {
  auto time = announced(from, to);
  return time ? time : announced(to, from);
}

}  // namespace corolla::actors
