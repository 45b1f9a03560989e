// A session of a script's steps through a swarm that loses servers: each output is compared with the reference's.
#pragma once

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "long_golden.hpp"
#include "tests/swarm/driven_route.hpp"

namespace corolla::tests {

constexpr uint32_t chunk_tokens = 32;

class scripted_session {
 public:
  /// Of as many positions as the steps need, and `spare` ones; with deep prompts, where there are any.
  scripted_session(
      driven_client& client, const long_golden& golden, script steps, overheard ears = {}, uint32_t spare = 0,
      model::tensor deep_prompts = {})
      : client_{client},
        tolerance_{golden.tolerance()},
        steps_{std::move(steps)},
        route_{client, options(spare, std::move(deep_prompts)), std::move(ears)} {}

  size_t size() const { return steps_.size(); }
  /// The server of a hop.
  std::string server_of(size_t hop) { return route_.status().hops.at(hop).peer.to_string(); }

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

  /// After the last step: hops that were not replaced have computed each step once and restored nothing, and the others
  /// are where they are.
  void check_counters() {
    // In this order, since who was struck at the last step may be replaced meanwhile.
    const auto hops = route_.audit();
    std::set<uint32_t> replaced;
    for (const auto& recovery : status().recoveries)
      for (auto block = recovery.blocks.begin; block < recovery.blocks.end; ++block) replaced.insert(block);
    for (const auto& hop : hops) {
      if (hop.blocks.empty()) continue;  // it has not been yet
      BOOST_TEST_CONTEXT("blocks " << to_string(hop.blocks)) {
        BOOST_TEST(hop.last == num_steps());
        BOOST_TEST(hop.position == steps_.back().end());
        if (!replaced.contains(hop.blocks.begin)) {
          BOOST_TEST(hop.steps == num_steps());
          BOOST_TEST(hop.restored == 0u);
        }
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
  actors::route_options options(uint32_t spare, model::tensor deep_prompts) const {
    actors::route_options result;
    result.deep_prompts = std::move(deep_prompts);
    result.batch = static_cast<uint32_t>(steps_.front().ids.size());
    for (const auto& s : steps_) result.max_length = std::max(result.max_length, s.end());
    result.max_length += spare;
    result.chunk_tokens = chunk_tokens;
    return result;
  }
  uint64_t num_steps() const {
    uint64_t count = 0;
    for (const auto& s : steps_) count += (s.ids.front().size() + chunk_tokens - 1) / chunk_tokens;
    return count;
  }

  driven_client& client_;
  double tolerance_;
  script steps_;
  driven_route route_;
};

}  // namespace corolla::tests
