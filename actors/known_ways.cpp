#include "actors/known_ways.hpp"

#include <algorithm>
#include <cstring>

namespace corolla::actors {
namespace {

/// With nothing measured every way counts alike.
constexpr double assumed_at_first = 0.001;

/// Finds servers by id.  Sorted, not hashed, since strangers choose their ids; by the first bytes before the rest,
/// which is what makes a plan of a large swarm quick.
class places {
 public:
  explicit places(const std::vector<const server_record*>& servers) {
    sorted_.reserve(servers.size());
    for (uint32_t i = 0; i < servers.size(); ++i)
      sorted_.push_back({first_bytes(servers[i]->peer), &servers[i]->peer, i});
    std::sort(sorted_.begin(), sorted_.end());
  }

  std::optional<uint32_t> find(const peer_id& peer) const {
    const entry wanted{first_bytes(peer), &peer, 0};
    auto found = std::lower_bound(sorted_.begin(), sorted_.end(), wanted);
    if (found == sorted_.end() || *found->peer != peer) return std::nullopt;
    return found->place;
  }

 private:
  struct entry {
    uint64_t first = 0;
    const peer_id* peer = nullptr;
    uint32_t place = 0;

    bool operator<(const entry& other) const {
      return first != other.first ? first < other.first : *peer < *other.peer;
    }
  };

  static uint64_t first_bytes(const peer_id& peer) {
    uint64_t value = 0;
    std::memcpy(&value, peer.bytes.data(), sizeof value);
    return value;
  }

  std::vector<entry> sorted_;
};

double median(std::vector<double> values, double if_none) {
  if (values.empty()) return if_none;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

known_ways::known_ways(const std::vector<const server_record*>& servers, std::vector<double> others, double step_bytes)
    : announced_(servers.size()) {
  const places of{servers};
  for (size_t i = 0; i < servers.size(); ++i) {
    auto& list = announced_[i];
    list.reserve(servers[i]->pings.size());
    for (auto& ping : servers[i]->pings) {
      auto other = of.find(ping.peer);
      if (!other || *other == i || ping.round_trip.count() < 0) continue;
      const auto round_trip = std::chrono::duration<double>(ping.round_trip).count();
      list.push_back({*other, round_trip, ping.bytes_per_s > 0 ? step_bytes / double{ping.bytes_per_s} : 0});
      others.push_back(round_trip);
    }
    // Of two about the same server the shorter.
    std::sort(list.begin(), list.end(), [](const announcement& a, const announcement& b) {
      return a.of != b.of ? a.of < b.of : a.round_trip < b.round_trip;
    });
  }
  assumed_ = median(std::move(others), assumed_at_first);
  least_.assign(servers.size(), assumed_);
  for (size_t i = 0; i < servers.size(); ++i)
    for (auto& way : announced_[i]) {
      least_[i] = std::min(least_[i], way.round_trip);
      least_[way.of] = std::min(least_[way.of], way.round_trip);
    }
}

const known_ways::announcement* known_ways::announced(size_t by, size_t of) const {
  const auto& list = announced_[by];
  auto found = std::lower_bound(
      list.begin(), list.end(), of, [](const announcement& entry, size_t place) { return entry.of < place; });
  return found == list.end() || found->of != of ? nullptr : &*found;
}

std::optional<double> known_ways::measured(size_t from, size_t to) const {
  const auto* sent = announced(from, to);
  const auto* received = announced(to, from);
  if (sent == nullptr && received == nullptr) return std::nullopt;
  return (sent != nullptr ? sent : received)->round_trip + (received != nullptr ? 2 * received->transfer : 0);
}

}  // namespace corolla::actors
