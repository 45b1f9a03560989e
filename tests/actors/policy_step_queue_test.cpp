#include "actors/policy/step_queue.hpp"

#include <boost/test/unit_test.hpp>
#include <random>
#include <string>

using namespace corolla::actors::policy;

namespace {

struct label {
  uint64_t session;
  int number;
  uint32_t rows;
  std::pair<uint32_t, uint32_t> part;
};

struct fixture {
  step_queue<label> queue{{/*pass_rows=*/64, /*small_rows=*/4}};
  std::map<uint64_t, int> pushed;

  void push(uint64_t session, uint32_t rows, std::pair<uint32_t, uint32_t> part = {0, 8}) {
    queue.push({session, part, rows}, {session, pushed[session]++, rows, part});
  }
  // "1.0 2.0": session and number of each step
  std::string pass() {
    std::string result;
    for (const auto& l : queue.next_pass())
      result += (result.empty() ? "" : " ") + std::to_string(l.session) + "." + std::to_string(l.number);
    return result;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(decode_steps_of_all_sessions_share_a_pass, fixture) {
  for (uint64_t session = 1; session <= 8; ++session) push(session, 1);
  BOOST_TEST(pass() == "1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0");
  BOOST_TEST(queue.empty());
  BOOST_TEST(pass() == "");
}

BOOST_FIXTURE_TEST_CASE(a_session_has_one_step_in_a_pass_and_keeps_its_order, fixture) {
  push(1, 1);
  push(1, 1);
  push(1, 1);
  push(2, 1);
  BOOST_TEST(pass() == "1.0 2.0");
  BOOST_TEST(pass() == "1.1");
  BOOST_TEST(pass() == "1.2");
}

BOOST_FIXTURE_TEST_CASE(only_steps_through_the_same_part_share_a_pass, fixture) {
  push(1, 1, {0, 8});
  push(2, 1, {4, 8});
  push(3, 1, {0, 8});
  BOOST_TEST(pass() == "1.0 3.0");
  BOOST_TEST(pass() == "2.0");
}

BOOST_FIXTURE_TEST_CASE(a_pass_keeps_to_its_rows_and_a_larger_step_runs_by_itself, fixture) {
  push(1, 40);
  push(2, 40);
  push(3, 24);
  push(4, 100);
  BOOST_TEST(pass() == "1.0 3.0");
  BOOST_TEST(pass() == "2.0");
  BOOST_TEST(pass() == "4.0");
}

BOOST_FIXTURE_TEST_CASE(a_decode_step_does_not_wait_for_all_chunks_of_prompts, fixture) {
  for (int chunk = 0; chunk < 10; ++chunk)
    for (uint64_t session : {1u, 2u, 3u}) push(session, 64);
  push(9, 1);
  BOOST_TEST(pass() == "9.0");
  BOOST_TEST(pass() == "1.0");
  push(9, 1);
  BOOST_TEST(pass() == "9.1");
  BOOST_TEST(pass() == "2.0");
}

BOOST_FIXTURE_TEST_CASE(small_steps_join_a_prompt_where_there_is_room, fixture) {
  push(1, 60);
  push(2, 60);
  push(3, 2);
  push(4, 2);
  push(5, 2);
  BOOST_TEST(pass() == "3.0 4.0 5.0");
  push(3, 2);
  push(4, 2);
  push(5, 2);
  BOOST_TEST(pass() == "1.0 3.1 4.1");
}

BOOST_FIXTURE_TEST_CASE(what_a_lost_session_left_is_handed_back, fixture) {
  push(1, 1);
  push(1, 64);
  push(2, 1);
  BOOST_TEST(queue.drop(1).size() == 2u);
  BOOST_TEST(queue.drop(1).empty());
  BOOST_TEST(queue.size() == 1u);
  BOOST_TEST(pass() == "2.0");
  push(3, 1);
  push(4, 64);
  BOOST_TEST(queue.drop_all().size() == 2u);
  BOOST_TEST(pass() == "");
}

BOOST_FIXTURE_TEST_CASE(every_wait_is_bounded_whatever_arrives, fixture) {
  std::mt19937 random(3);
  std::map<uint64_t, int> served;       // next number of each session
  std::map<uint64_t, uint64_t> waited;  // passes since its oldest step became the oldest
  std::map<uint64_t, uint64_t> ahead;   // sessions that waited when it did
  constexpr uint64_t sessions = 12;
  uint64_t passes = 0, longest = 0;
  auto backlog = [&](uint64_t s) { return pushed[s] - served[s]; };
  auto waiting = [&] {
    uint64_t n = 0;
    for (uint64_t s = 0; s < sessions; ++s) n += backlog(s) > 0;
    return n;
  };
  for (int round = 0; round < 20'000; ++round) {
    for (auto arrivals = random() % 6; arrivals > 0; --arrivals) {
      auto s = random() % sessions;
      // Prompts flood; sessions 9 and above decode through another part.
      if (backlog(s) > 20) continue;
      push(s, s % 3 == 0 ? 1 : 1 + random() % 80, s < 9 ? std::pair{0u, 8u} : std::pair{4u, 8u});
      if (backlog(s) == 1) {
        waited[s] = 0;
        ahead[s] = waiting() - 1;
      }
    }
    auto steps = queue.next_pass();
    if (steps.empty()) continue;
    ++passes;
    uint32_t rows = 0;
    std::map<uint64_t, int> seen;
    for (const auto& l : steps) {
      BOOST_REQUIRE_EQUAL(l.number, served[l.session]);  // in order
      BOOST_REQUIRE_EQUAL(++seen[l.session], 1);         // once a pass
      BOOST_REQUIRE(l.part == steps.front().part);
      rows += l.rows;
      ++served[l.session];
    }
    BOOST_REQUIRE(rows <= 64 || steps.size() == 1);
    for (uint64_t s = 0; s < sessions; ++s) {
      if (seen.count(s)) {
        waited[s] = 0;
        ahead[s] = waiting();
      } else if (backlog(s) > 0) {
        longest = std::max(longest, ++waited[s]);
        BOOST_REQUIRE_LE(waited[s], 2 * ahead[s] + 1);
      }
    }
  }
  BOOST_TEST(passes > 10'000u);
  BOOST_TEST(longest > 1u);
}
