// Every fault at every hop and at every chunk of a long prompt, and in sessions that are as long as they may be.
#include "tests/actors/route_trial.hpp"

namespace corolla::tests {

namespace {

/// Ten chunks.
constexpr uint32_t prompt = 300, chunk_tokens = 32;

void run_all(course how) {
  how.prompt = prompt;
  const auto turns = turns_of(how, /*tokens=*/3);
  for (auto what : all_faults)
    for (size_t hop = 0; hop < 3; ++hop)
      for (size_t chunk = 0; chunk <= prompt / chunk_tokens; ++chunk) {
        // Right then, or with more chunks on their way.
        const blow b{what, hop, /*turn=*/0, chunk, (chunk + hop) % 2 * 9};
        const auto wrong = trial{b, how, /*max_length=*/310, chunk_tokens}.run(turns);
        BOOST_TEST(wrong.empty(), describe(b) << wrong);
      }
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_fault_at_every_hop_and_chunk) {
  run_all({});
}
BOOST_AUTO_TEST_CASE(and_with_three_rows_that_change_places) {
  run_all({.batch = 3, .reorders = true});
}
BOOST_AUTO_TEST_CASE(and_before_a_rollback) {
  run_all({.rolls_back = true});
}
BOOST_AUTO_TEST_CASE(and_with_deep_prompts) {
  run_all({.deep_prompts = 200});
}
BOOST_AUTO_TEST_CASE(and_with_all_of_it_over_links_that_take_time) {
  run_all({.batch = 3, .reorders = true, .rolls_back = true, .delay = 5ms, .deep_prompts = 5});
}

// -- as long as it may be -------------------------------------------------------------------------------------------

namespace {

void run_to_the_ceiling(const course& how) {
  constexpr uint32_t ceiling = 24;
  // Full, and then back to somewhere and full again: with one step, with several, and from the beginning.
  const std::vector<turn> turns{{20}, {3}, {1}, {1, 23}, {4, 20}, {12, 12}, {1, 23}, {24, 0}, {2, 22}, {1, 23}};
  for (auto what : all_faults)
    for (size_t hop = 0; hop < 3; ++hop)
      for (size_t at = 1; at < turns.size(); ++at)
        for (size_t steps : {0, 1}) {
          const blow b{what, hop, at, steps, (at + hop) % 3 * 5};
          const auto wrong = trial{b, how, ceiling, /*chunk_tokens=*/4}.run(turns);
          BOOST_TEST(wrong.empty(), describe(b) << wrong);
        }
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_fault_at_every_hop_of_a_session_that_is_full) {
  run_to_the_ceiling({});
}
BOOST_AUTO_TEST_CASE(and_of_three_rows_over_links_that_take_time) {
  run_to_the_ceiling({.batch = 3, .delay = 5ms, .deep_prompts = 24});
}

}  // namespace corolla::tests
