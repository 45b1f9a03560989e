#include "actors/policy/route_planner.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace corolla::actors::policy {
namespace {

constexpr auto unreached = std::numeric_limits<double>::infinity();
constexpr uint32_t nowhere = std::numeric_limits<uint32_t>::max();

bool holds(const server& s, uint32_t block) {
  return s.span.begin <= block && block < s.span.end;
}

std::vector<blocks> missing_blocks(const std::vector<server>& servers, blocks wanted) {
  // Where spans begin and end, so that the list is walked once whatever its length.
  std::vector<int64_t> change(size_t{wanted.end - wanted.begin} + 1);
  for (const auto& s : servers) {
    auto begin = std::max(s.span.begin, wanted.begin), end = std::min(s.span.end, wanted.end);
    if (begin >= end) continue;
    ++change[begin - wanted.begin];
    --change[end - wanted.begin];
  }
  std::vector<blocks> result;
  int64_t holders = 0;
  for (auto b = wanted.begin; b < wanted.end; ++b) {
    holders += change[b - wanted.begin];
    if (holders > 0) continue;
    if (!result.empty() && result.back().end == b)
      ++result.back().end;
    else
      result.push_back({b, b + 1});
  }
  return result;
}

// Shortest path over (block, server that computed it), one block after the other.
class search {
 public:
  search(const std::vector<server>& servers, const plan_request& request, const round_trip& between)
      : servers_(servers), wanted_(request.wanted), between_(between) {
    for (const auto& s : servers)
      entry_.push_back(s.queue + (s.free_tokens < request.needed_tokens ? request.full_penalty : 0));
  }

  plan run() {
    enter_first();
    for (auto b = wanted_.begin + 1; b < wanted_.end; ++b) advance(b);
    return finish();
  }

 private:
  void enter_first() {
    cost_.assign(servers_.size(), unreached);
    for (size_t i = 0; i < servers_.size(); ++i)
      if (const auto& s = servers_[i]; holds(s, wanted_.begin))
        cost_[i] = s.source_round_trip / 2 + entry_[i] + s.per_block;
  }

  void advance(uint32_t block) {
    std::vector<std::pair<double, uint32_t>> reached;  // cheapest first
    for (uint32_t i = 0; i < servers_.size(); ++i)
      if (cost_[i] < unreached) reached.emplace_back(cost_[i], i);
    std::sort(reached.begin(), reached.end());
    std::vector<double> next(servers_.size(), unreached);
    auto& from = came_from_.emplace_back(servers_.size(), nowhere);
    for (uint32_t to = 0; to < servers_.size(); ++to) {
      if (!holds(servers_[to], block)) continue;
      auto best = cost_[to];  // staying; unreached where its span begins here
      from[to] = to;
      for (const auto& [cost, i] : reached) {
        // Every later one costs at least as much before the way is counted.
        if (cost + entry_[to] >= best) break;
        auto moved = cost + entry_[to] + (i == to ? unreached : between_(i, to) / 2);
        if (moved >= best) continue;
        best = moved;
        from[to] = i;
      }
      next[to] = best + servers_[to].per_block;
    }
    cost_ = std::move(next);
  }

  plan finish() const {
    plan result;
    uint32_t last = nowhere;
    result.seconds = unreached;
    for (uint32_t i = 0; i < servers_.size(); ++i) {
      auto total = cost_[i] + servers_[i].sink_round_trip / 2;
      if (total >= result.seconds) continue;
      result.seconds = total;
      last = i;
    }
    for (auto block = wanted_.end; block > wanted_.begin; --block) {
      if (result.hops.empty() || result.hops.back().server != last)
        result.hops.push_back({last, {block - 1, block}});
      else
        result.hops.back().span.begin = block - 1;
      if (block - 1 > wanted_.begin) last = came_from_[block - 2 - wanted_.begin][last];
    }
    std::reverse(result.hops.begin(), result.hops.end());
    return result;
  }

  const std::vector<server>& servers_;
  blocks wanted_;
  const round_trip& between_;
  std::vector<double> entry_;                     // of a server: its queue, and the penalty if it seems full
  std::vector<double> cost_;                      // of having computed up to this block, the last one there
  std::vector<std::vector<uint32_t>> came_from_;  // for each block but the first: who computed the one before
};

}  // namespace

plan plan_route(const std::vector<server>& servers, const plan_request& request, const round_trip& between) {
  if (request.wanted.begin >= request.wanted.end) return {};
  if (auto missing = missing_blocks(servers, request.wanted); !missing.empty()) return {{}, 0, std::move(missing)};
  return search{servers, request, between}.run();
}

}  // namespace corolla::actors::policy
