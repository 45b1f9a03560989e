// A session of a script's steps through a swarm that loses servers: each output is compared with the reference's.
#pragma once

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "long_golden.hpp"
#include "tests/swarm/driven_route.hpp"

namespace corolla::tests {

constexpr uint32_t chunk_tokens = 32;

/// What a session is given besides what its steps need.
struct session_extras {
  uint32_t spare = 0;                    ///< positions
  std::vector<actors::peer_id> allow{};  ///< servers; empty: any
  double better_by = 1e9;                ///< no route is so much better than another
  model::tensor deep_prompts{};
};

class scripted_session {
 public:
  scripted_session(
      driven_client& client, const long_golden& golden, script steps, overheard ears = {},
      const session_extras& extras = {})
      : client_{client},
        tolerance_{golden.tolerance()},
        steps_{std::move(steps)},
        route_{client, options(extras), std::move(ears)},
        at_first_{status().hops} {}

  size_t size() const { return steps_.size(); }
  std::vector<actors::peer_id> servers() {
    std::vector<actors::peer_id> result;
    for (const auto& hop : status().hops) result.push_back(hop.peer);
    return result;
  }
  /// The hop that has a block now.
  hop_session hop_with(uint32_t block) {
    const auto hops = status().hops;
    const auto found = std::find_if(hops.begin(), hops.end(), [&](const actors::hop_status& hop) {
      return hop.blocks.contains({block, block + 1});
    });
    BOOST_TEST_REQUIRE((found != hops.end()));
    return {found->peer.to_string(), found->blocks};
  }

  void start(size_t number) {
    const auto& s = steps_.at(number);
    token_ids all;
    for (const auto& row : s.ids) all.insert(all.end(), row.begin(), row.end());
    const auto ids = model::tensor::of<int64_t>(
        {static_cast<int64_t>(s.ids.size()), static_cast<int64_t>(s.ids.front().size())}, all);
    route_.start({s.position, client_.ends().embed(ids), actors::rows_wanted::last, s.hypo_ids});
  }
  /// Waits for the output, which is the reference's.
  void finish(size_t number) {
    const auto logits = client_.ends().logits(route_.finish());
    const auto& s = steps_.at(number);
    const auto all = logits.as<float>();
    const auto vocabulary = static_cast<size_t>(client_.ends().vocab_size());
    BOOST_TEST_REQUIRE(all.size() == s.best.size() * vocabulary);
    for (size_t row = 0; row < s.best.size(); ++row) BOOST_TEST_CONTEXT("step " << number << ", row " << row) {
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(row * vocabulary);
        const auto best = std::max_element(begin, begin + static_cast<std::ptrdiff_t>(vocabulary));
        BOOST_TEST(std::distance(begin, best) == s.best[row]);
        BOOST_TEST(std::abs(*best - s.logits[row]) <= tolerance_, *best << " and not " << s.logits[row]);
      }
  }
  /// Steps [first, end), undisturbed.
  void run(size_t first, size_t end) {
    for (auto number = first; number < end; ++number) {
      start(number);
      finish(number);
    }
  }

  actors::route_status status() { return route_.status(); }
  /// Of each hop.
  std::vector<actors::session_status> counters() { return route_.audit(); }

  /// After the last step, where `struck` were lost or made late and no other blocks: nothing else was replaced but
  /// single hops that a machine which stood still for a moment made late.  Those that were not replaced have computed
  /// each step once and restored nothing, and the first of them had each row once from the client; the others are where
  /// they are.
  void check_counters(const std::vector<model::block_range>& struck) {
    // In this order, since who was struck at the last step may be replaced meanwhile.
    const auto counters = route_.audit();
    const auto now = status();
    auto hops = now.hops;
    hops.insert(hops.end(), at_first_.begin(), at_first_.end());
    for (const auto& recovery : now.recoveries) check_extent(recovery, struck, hops);
    for (const auto& hop : counters) {
      if (hop.blocks.empty()) continue;  // it has not been yet
      BOOST_TEST_CONTEXT("blocks " << to_string(hop.blocks) << ": " << told()) {
        BOOST_TEST(hop.last == num_steps());
        BOOST_TEST(hop.position == steps_.back().end());
        const auto replaces = [&](const actors::recovery_report& r) { return r.blocks.contains(hop.blocks); };
        if (std::any_of(now.recoveries.begin(), now.recoveries.end(), replaces)) continue;
        BOOST_TEST(hop.steps == num_steps());
        BOOST_TEST(hop.restored == 0u);
        BOOST_TEST(hop.client_bytes == (hop.blocks.begin == 0 ? num_bytes() : 0u));
      }
    }
  }
  /// How often these blocks were replaced, lost or late.
  size_t num_recoveries(model::block_range blocks) {
    // The output of the last step may come before the hop that was relinked for it says so; its answer here comes
    // later.
    route_.audit();
    const auto all = status().recoveries;
    return static_cast<size_t>(std::count_if(all.begin(), all.end(), [&](const actors::recovery_report& r) {
      return r.blocks.begin <= blocks.begin && blocks.end <= r.blocks.end;
    }));
  }
  /// What was replaced, in words.
  std::string told() {
    std::string text;
    for (const auto& r : status().recoveries)
      text += to_string(r.blocks) + (r.late ? " late, " : " lost, ") + std::to_string(r.restored_tokens) + " tokens; ";
    return text.empty() ? "nothing was replaced" : text;
  }

 private:
  static void check_extent(
      const actors::recovery_report& recovery, const std::vector<model::block_range>& struck,
      const std::vector<actors::hop_status>& hops) {
    const auto holds = [&](const model::block_range& range) { return range.contains(recovery.blocks); };
    const auto is_hop = [&](const actors::hop_status& hop) { return hop.blocks == recovery.blocks; };
    const bool was_struck = recovery.blocks.empty() || std::any_of(struck.begin(), struck.end(), holds);
    const bool was_late = recovery.late && std::any_of(hops.begin(), hops.end(), is_hop);
    BOOST_TEST((was_struck || was_late), "blocks " << to_string(recovery.blocks) << " were replaced");
  }

  actors::route_options options(const session_extras& extras) const {
    actors::route_options result;
    result.batch = static_cast<uint32_t>(steps_.front().ids.size());
    for (const auto& s : steps_) result.max_length = std::max(result.max_length, s.end());
    result.max_length += extras.spare;
    result.chunk_tokens = chunk_tokens;
    result.allow = extras.allow;
    result.deep_prompts = extras.deep_prompts;
    result.better_by = extras.better_by;
    return result;
  }
  uint64_t num_steps() const {
    uint64_t count = 0;
    for (const auto& s : steps_) count += (s.ids.front().size() + chunk_tokens - 1) / chunk_tokens;
    return count;
  }

  /// Of all rows that go into the first hop.
  uint64_t num_bytes() const {
    uint64_t tokens = 0;
    for (const auto& s : steps_) tokens += s.ids.size() * s.ids.front().size();
    return tokens * static_cast<uint64_t>(client_.ends().hidden_size()) * sizeof(float);
  }

  driven_client& client_;
  double tolerance_;
  script steps_;
  driven_route route_;
  std::vector<actors::hop_status> at_first_;
};

}  // namespace corolla::tests
