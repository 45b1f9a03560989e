#include "actors/policy/route_planner.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace corolla::actors::policy {
namespace {

constexpr auto unreached = std::numeric_limits<double>::infinity();
constexpr uint32_t nowhere = std::numeric_limits<uint32_t>::max();
/// Sums of the same numbers in another order differ by less than this part.
constexpr double rounding = 1e-9;
/// Where everything is free, what costs nothing more must still be below the bound.
constexpr double smallest = 1e-12;

double sane(double seconds) {
  constexpr double most = 1e6;
  return seconds >= 0 && seconds < most ? seconds : most;
}

/// Who may be used for each of the wanted blocks.
class holder_lists {
 public:
  holder_lists(const std::vector<server>& servers, blocks wanted) : wanted_(wanted), lists_(wanted.end - wanted.begin) {
    add(servers, standing::usable);
    auto covered = std::vector<bool>(lists_.size());
    for (size_t i = 0; i < lists_.size(); ++i) covered[i] = !lists_[i].empty();
    add(servers, standing::last_choice, covered);
  }

  const std::vector<uint32_t>& of(uint32_t block) const { return lists_[block - wanted_.begin]; }

  std::vector<blocks> missing() const {
    std::vector<blocks> result;
    for (auto b = wanted_.begin; b < wanted_.end; ++b) {
      if (!of(b).empty()) continue;
      if (!result.empty() && result.back().end == b)
        ++result.back().end;
      else
        result.push_back({b, b + 1});
    }
    return result;
  }

 private:
  void add(const std::vector<server>& servers, standing which, const std::vector<bool>& except = {}) {
    for (uint32_t i = 0; i < servers.size(); ++i) {
      const auto& s = servers[i];
      if (s.used != which) continue;
      for (auto b = std::max(s.span.begin, wanted_.begin); b < std::min(s.span.end, wanted_.end); ++b)
        if (except.empty() || !except[b - wanted_.begin]) lists_[b - wanted_.begin].push_back(i);
    }
  }

  blocks wanted_;
  std::vector<std::vector<uint32_t>> lists_;
};

/// One value for each block and server.
template <class T>
class table {
 public:
  table(blocks wanted, size_t servers, T value)
      : begin_(wanted.begin), servers_(servers), values_(servers * (wanted.end - wanted.begin), value) {}
  T& at(uint32_t block, uint32_t server) { return values_[(block - begin_) * servers_ + server]; }
  const T& at(uint32_t block, uint32_t server) const { return values_[(block - begin_) * servers_ + server]; }

 private:
  uint32_t begin_;
  size_t servers_;
  std::vector<T> values_;
};

/// A server's times, made sane.
struct prices {
  double entry = 0;  ///< its queue, and the penalty if it seems full
  double per_block = 0;
  double source_way = 0;
  double sink_way = 0;
  double least_way = 0;  ///< into it
};

class search {
 public:
  search(
      const std::vector<server>& servers, const plan_request& request, const round_trip& between,
      const holder_lists& holders)
      : wanted_(request.wanted), between_(between), holders_(holders), rest_(wanted_, servers.size(), unreached) {
    for (const auto& s : servers)
      prices_.push_back(
          {sane(s.queue) + (s.free_tokens < request.needed_tokens ? sane(request.full_penalty) : 0) +
               sane(request.hop_cost),
           sane(s.per_block), sane(s.source_round_trip) / 2, sane(s.sink_round_trip) / 2,
           sane(s.least_round_trip) / 2});
  }

  plan run() {
    bound_ = unreached;
    for (auto assumed : sampled_ways()) bound_ = std::min(bound_, greedy(assumed));
    bound_ += bound_ * rounding + smallest;
    relax(/*shortest=*/0);
    return find_cheapest();
  }

 private:
  double way(uint32_t from, uint32_t to) const { return std::max(sane(between_(from, to)) / 2, prices_[to].least_way); }

  /// Fills rest_: the cost of block `b` and all after it where a server computes `b`, if every way between servers
  /// costs what the shortest one into its end does, but at least `shortest`.
  void relax(double shortest) {
    auto moving = unreached;
    for (auto b = wanted_.end; b-- > wanted_.begin;) {
      auto entering = unreached;
      for (auto i : holders_.of(b)) {
        const auto& p = prices_[i];
        auto after = b + 1 == wanted_.end ? p.sink_way : std::min(rest_.at(b + 1, i), moving);
        auto& cost = rest_.at(b, i);
        cost = p.per_block + after;
        entering = std::min(entering, p.entry + std::max(shortest, p.least_way) + cost);
      }
      moving = entering;
    }
  }

  /// Of some of the ways the shortest, one of the shorter ones and one in the middle.
  std::vector<double> sampled_ways() const {
    constexpr uint64_t samples = 64;
    std::vector<double> ways;
    auto n = prices_.size();
    for (uint64_t k = 0; k < samples; ++k) {
      // Two primes spread the pairs.
      auto from = static_cast<uint32_t>(k * 7919 % n), to = static_cast<uint32_t>((k * 104'729 + 1) % n);
      if (from != to) ways.push_back(way(from, to));
    }
    if (ways.empty()) return {0};
    std::sort(ways.begin(), ways.end());
    return {ways.front(), ways[ways.size() / 4], ways[ways.size() / 2]};
  }

  /// The cost of a chain that is good if ways are about as long as `assumed`: each choice takes its own way as it is,
  /// and the rest as it would be then.
  double greedy(double assumed) {
    relax(assumed);
    auto at = nowhere;
    double cost = 0;
    for (auto b = wanted_.begin; b < wanted_.end; ++b) {
      auto next = nowhere;
      auto best = unreached, paid = 0.0;
      if (at != nowhere && rest_.at(b, at) < unreached) {
        next = at;
        best = rest_.at(b, at);
      }
      for (auto i : holders_.of(b)) {
        const auto& p = prices_[i];
        if (i == at || p.entry + rest_.at(b, i) >= best) continue;
        auto move = p.entry + (at == nowhere ? p.source_way : way(at, i));
        if (move + rest_.at(b, i) >= best) continue;
        next = i;
        best = move + rest_.at(b, i);
        paid = move;
      }
      at = next;
      cost += paid + prices_[at].per_block;
    }
    return cost + prices_[at].sink_way;
  }

  using reached = std::vector<std::pair<double, uint32_t>>;

  plan find_cheapest() {
    table<uint32_t> came_from{wanted_, prices_.size(), nowhere};
    reached now, next;
    std::vector<double> staying(prices_.size(), unreached);
    for (auto i : holders_.of(wanted_.begin)) {
      auto cost = prices_[i].source_way + prices_[i].entry;
      if (cost + rest_.at(wanted_.begin, i) <= bound_) now.emplace_back(cost + prices_[i].per_block, i);
    }
    for (auto b = wanted_.begin + 1; b < wanted_.end; ++b) {
      std::sort(now.begin(), now.end());
      for (const auto& [cost, i] : now) staying[i] = cost;
      next.clear();
      for (auto to : holders_.of(b))
        if (auto [cost, from] = cheapest_way_into(to, b, now, staying[to]); from != nowhere) {
          came_from.at(b, to) = from;
          next.emplace_back(cost + prices_[to].per_block, to);
        }
      for (const auto& entry : now) staying[entry.second] = unreached;
      std::swap(now, next);
    }
    return trace_back(now, came_from);
  }

  /// The cost just before `to` computes `block`, and who computed the block before; nowhere if it cannot be part of the
  /// cheapest chain.  `before` is sorted.
  std::pair<double, uint32_t> cheapest_way_into(uint32_t to, uint32_t block, const reached& before, double stay) const {
    auto entry = prices_[to].entry;
    auto best = bound_ - rest_.at(block, to);
    auto from = nowhere;
    if (stay <= best) {
      best = stay;
      from = to;
    }
    for (const auto& [cost, i] : before) {
      // Every later one costs at least as much before the way is counted.
      if (cost + entry >= best) break;
      if (i == to) continue;
      auto moved = cost + entry + way(i, to);
      if (moved >= best) continue;
      best = moved;
      from = i;
    }
    return {best, from};
  }

  plan trace_back(const reached& ends, const table<uint32_t>& came_from) const {
    plan result;
    result.seconds = unreached;
    auto last = nowhere;
    for (const auto& [cost, i] : ends) {
      if (cost + prices_[i].sink_way >= result.seconds) continue;
      result.seconds = cost + prices_[i].sink_way;
      last = i;
    }
    for (auto b = wanted_.end; b-- > wanted_.begin;) {
      if (result.hops.empty() || result.hops.back().server != last)
        result.hops.push_back({last, {b, b + 1}});
      else
        result.hops.back().span.begin = b;
      last = came_from.at(b, last);
    }
    std::reverse(result.hops.begin(), result.hops.end());
    return result;
  }

  blocks wanted_;
  const round_trip& between_;
  const holder_lists& holders_;
  std::vector<prices> prices_;
  table<double> rest_;
  double bound_ = unreached;  // no cheapest chain costs more
};

}  // namespace

plan plan_route(const std::vector<server>& servers, const plan_request& request, const round_trip& between) {
  if (request.wanted.begin >= request.wanted.end) return {};
  const holder_lists holders{servers, request.wanted};
  if (auto missing = holders.missing(); !missing.empty()) return {{}, 0, std::move(missing)};
  return search{servers, request, between, holders}.run();
}

}  // namespace corolla::actors::policy
