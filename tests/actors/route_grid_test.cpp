// Every fault at every hop and at every step of forty tokens, in virtual time: every output is compared with what the
// blocks give by themselves, and every hop's counters with what was sent.
#include "tests/actors/route_trial.hpp"

namespace corolla::tests {

namespace {

constexpr uint32_t tokens = 40;
/// After the fault: whatever it left behind would show.
constexpr size_t tokens_after = 4;

/// Before the hop has computed the step, at the very moment, and while the output is on its way.
constexpr std::pair<size_t, size_t> moments[] = {{0, 0}, {1, 0}, {0, 7}, {1, 12}};

void run_one(const course& how, const std::vector<turn>& all, const blow& b) {
  const auto end = std::min(all.size(), b.turn + 1 + tokens_after);
  const std::vector<turn> turns{all.begin(), all.begin() + static_cast<std::ptrdiff_t>(end)};
  const auto wrong = trial{b, how, /*max_length=*/64, /*chunk_tokens=*/4}.run(turns);
  BOOST_TEST(wrong.empty(), describe(b) << wrong);
}

/// At all moments, or at one of them by turns.
void run_all(const course& how, bool all_moments = false) {
  const auto turns = turns_of(how, tokens);
  size_t next = 0;
  for (auto what : all_faults)
    for (size_t hop = 0; hop < 3; ++hop)
      for (size_t at = 1; at <= tokens; ++at, ++next)
        for (size_t m = 0; m < std::size(moments); ++m)
          if (all_moments || m == next % 4) run_one(how, turns, {what, hop, at, moments[m].first, moments[m].second});
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_fault_at_every_hop_and_step) {
  run_all({}, /*all_moments=*/true);
}
BOOST_AUTO_TEST_CASE(and_with_three_rows_that_change_places) {
  run_all({.batch = 3, .reorders = true});
}
BOOST_AUTO_TEST_CASE(and_with_rollbacks) {
  run_all({.rolls_back = true});
}
BOOST_AUTO_TEST_CASE(and_with_deep_prompts) {
  run_all({.deep_prompts = 23});
}
BOOST_AUTO_TEST_CASE(and_with_all_of_it_over_links_that_take_time) {
  run_all({.batch = 3, .reorders = true, .rolls_back = true, .delay = 5ms, .deep_prompts = 5});
}

}  // namespace corolla::tests
