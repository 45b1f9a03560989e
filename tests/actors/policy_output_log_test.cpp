#include "actors/policy/output_log.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <numeric>
#include <random>

using namespace corolla::actors::policy;

namespace {

// [T][B] numbers; a shared handle as tensors are.
using grid = std::vector<std::vector<uint32_t>>;
using rows = std::shared_ptr<const grid>;
using log_of_rows = output_log<rows>;

rows first_tokens(const rows& r, uint32_t tokens) {
  return std::make_shared<grid>(r->begin(), r->begin() + tokens);
}

constexpr uint32_t bytes_per_row = 4;

struct step {
  uint64_t seq;
  uint32_t position;
  grid values;
  row_order order;
};

// What the next hop's cache was fed with, at each position, in its order of rows.
grid after_step(grid cache, const step& s) {
  if (!s.order.empty())
    for (auto& token : cache) {
      auto before = token;
      for (size_t i = 0; i < token.size(); ++i) token[i] = before[s.order[i]];
    }
  cache.resize(s.position);
  cache.insert(cache.end(), s.values.begin(), s.values.end());
  return cache;
}

grid read(const std::vector<log_of_rows::piece>& pieces, uint32_t batch) {
  grid result;
  for (const auto& p : pieces) {
    BOOST_REQUIRE_EQUAL(p.position, result.size());
    for (uint32_t t = 0; t < p.tokens; ++t) {
      const auto& token = (**p.rows)[t];
      auto& to = result.emplace_back(token);
      for (uint32_t i = 0; i < batch && !p.order.empty(); ++i) to[i] = token[p.order[i]];
    }
  }
  return result;
}

struct fixture {
  static constexpr uint32_t batch = 2;
  static constexpr uint32_t max_length = 8;
  log_of_rows log{{batch * max_length * bytes_per_row}, first_tokens};
  uint64_t seq = 0;
  uint32_t next_value = 100;

  bool append(uint32_t position, uint32_t tokens, row_order order = {}) {
    grid values(tokens);
    for (auto& t : values) {
      t.resize(batch);
      std::iota(t.begin(), t.end(), next_value);
      next_value += 10;
    }
    auto handle = std::make_shared<grid>(std::move(values));
    return log.append({++seq, position, tokens, std::move(order), handle, uint64_t{tokens} * batch * bytes_per_row});
  }
  grid restored(uint64_t done) { return read(log.restore(done).value(), batch); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(two_reorderings_are_one) {
  BOOST_TEST((compose({2, 0, 1}, {1, 1, 0}) == row_order{0, 0, 2}));
  BOOST_TEST((compose({}, {1, 0}) == row_order{1, 0}));
  BOOST_TEST((compose({1, 0}, {}) == row_order{1, 0}));
}

BOOST_FIXTURE_TEST_CASE(what_was_appended_is_restored, fixture) {
  append(0, 2);
  append(2, 1);
  log.advance(1);
  BOOST_TEST((restored(1) == grid{{100, 101}, {110, 111}}));
  BOOST_TEST((restored(2) == grid{{100, 101}, {110, 111}, {120, 121}}));
  BOOST_TEST(log.bytes() == 3u * batch * bytes_per_row);
  BOOST_TEST(log.open().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(truncated_rows_stay_until_the_client_has_the_step_that_truncated_them, fixture) {
  append(0, 4);
  log.advance(1);
  append(1, 1);
  BOOST_TEST(restored(1).size() == 4u);
  BOOST_TEST((restored(2) == grid{{100, 101}, {140, 141}}));
  BOOST_TEST(log.bytes() == 5u * batch * bytes_per_row);
  log.advance(2);
  BOOST_TEST((restored(2) == grid{{100, 101}, {140, 141}}));
  BOOST_TEST(log.bytes() == 2u * batch * bytes_per_row);
  BOOST_TEST(!log.restore(1));
}

BOOST_FIXTURE_TEST_CASE(restored_rows_are_in_todays_order, fixture) {
  append(0, 1);
  append(1, 1, {1, 0});
  append(2, 1, {1, 1});
  BOOST_TEST((restored(1) == grid{{100, 101}}));
  BOOST_TEST((restored(2) == grid{{101, 100}, {110, 111}}));
  BOOST_TEST((restored(3) == grid{{100, 100}, {111, 111}, {120, 121}}));
}

BOOST_FIXTURE_TEST_CASE(rollback_does_not_undo_an_order, fixture) {
  append(0, 2);
  log.advance(1);
  append(2, 1, {1, 0});
  log.advance(2);
  append(1, 0);  // takes back the token that came with the new order
  log.advance(3);
  BOOST_TEST((restored(3) == grid{{101, 100}}));
  append(1, 1, {0, 0});
  log.advance(4);
  BOOST_TEST((restored(4) == grid{{101, 101}, {130, 131}}));
  BOOST_TEST(log.entries() == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_full_session_that_starts_over_keeps_within_its_room, fixture) {
  append(0, max_length);
  log.advance(1);
  BOOST_TEST(append(2, max_length - 2));
  BOOST_TEST(log.bytes() <= batch * max_length * bytes_per_row);
  // Position 2 on is what step 2 brings again.
  BOOST_TEST((restored(1) == grid{{100, 101}, {110, 111}}));
  BOOST_TEST(restored(2).size() == max_length);
}

BOOST_FIXTURE_TEST_CASE(nothing_is_taken_beyond_the_room, fixture) {
  append(0, max_length);
  BOOST_TEST(!append(max_length, 1));
  BOOST_TEST(log.bytes() == batch * max_length * bytes_per_row);
  BOOST_TEST(restored(1).size() == max_length);
}

BOOST_AUTO_TEST_CASE(the_last_hop_keeps_only_what_the_client_has_not) {
  log_of_rows log{{/*room=*/100, /*keep_done=*/false}, first_tokens};
  auto one = std::make_shared<grid>(grid{{1}});
  BOOST_TEST(log.append({1, 0, 1, {}, one, 4}));
  BOOST_TEST(log.append({2, 1, 1, {}, one, 4}));
  log.advance(1);
  BOOST_TEST(log.bytes() == 4u);
  BOOST_TEST(log.open().front().seq == 2u);
  log.advance(2);
  BOOST_TEST(log.bytes() == 0u);
  BOOST_TEST(log.entries() == 0u);
  BOOST_TEST(!log.restore(2));
}

// Random schedules as a route may send them, against a list of whole caches.
BOOST_AUTO_TEST_CASE(the_log_restores_what_the_cache_held_after_any_step_not_yet_done) {
  std::mt19937 random(17);
  auto up_to = [&](uint32_t most) { return std::uniform_int_distribution<uint32_t>(0, most)(random); };
  size_t checked = 0, cut_short = 0;
  for (int round = 0; round < 400; ++round) {
    const auto batch = 1 + up_to(3), max_length = 1 + up_to(30);
    const uint64_t room = uint64_t{batch} * max_length * bytes_per_row;
    log_of_rows log{{room}, first_tokens};
    std::vector<grid> after{{}};  // the cache after each seq
    std::vector<step> steps;
    uint64_t done = 0, seq = 0;
    uint32_t value = 1;
    bool alone_under_way = false;
    for (int i = 0; i < 60; ++i) {
      if (up_to(2) == 0) {
        done += up_to(static_cast<uint32_t>(seq - done));
        log.advance(done);
        if (done == seq) alone_under_way = false;
      }
      if (alone_under_way) continue;
      auto length = static_cast<uint32_t>(after.back().size());
      step s{seq + 1, length, {}, {}};
      if (done == seq && up_to(2) == 0) {
        s.position = up_to(length);
        if (up_to(1) == 0)
          for (uint32_t b = 0; b < batch; ++b) s.order.push_back(up_to(batch - 1));
      }
      auto tokens = up_to(std::min(max_length - s.position, 6u));
      if (up_to(9) == 0) tokens = max_length - s.position;
      const bool alone = !s.order.empty() || s.position < length || tokens == 0;
      if (alone && done != seq) continue;
      for (uint32_t t = 0; t < tokens; ++t) {
        s.values.emplace_back();
        for (uint32_t b = 0; b < batch; ++b) s.values.back().push_back(value++);
      }
      alone_under_way = alone;
      seq = s.seq;
      BOOST_REQUIRE(log.append(
          {s.seq, s.position, tokens, s.order, std::make_shared<grid>(s.values),
           uint64_t{tokens} * batch * bytes_per_row}));
      after.push_back(after_step(after.back(), s));
      steps.push_back(s);

      BOOST_REQUIRE_LE(log.bytes(), room);
      BOOST_REQUIRE_LE(log.entries(), max_length + 2);
      for (auto d = done; d <= seq; ++d) {
        auto wanted = after[d];
        auto got = read(log.restore(d).value(), batch);
        if (got.size() < wanted.size()) {
          // Cut short for room alone, and only by what the step that follows the restore brings again.
          BOOST_REQUIRE(alone_under_way && d == seq - 1);
          BOOST_REQUIRE_EQUAL(got.size(), steps.back().position);
          BOOST_REQUIRE_GT((wanted.size() + tokens) * batch * bytes_per_row, room);
          wanted.resize(got.size());
          ++cut_short;
        }
        BOOST_REQUIRE(got == wanted);
        ++checked;
      }
      if (done > 0) BOOST_REQUIRE(!log.restore(done - 1));
    }
  }
  BOOST_TEST(checked > 10'000u);
  BOOST_TEST(cut_short > 50u);
}
