// Pages and what is stored in them.
#include <boost/test/unit_test.hpp>

#include <vector>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>

#include "model/kv_cache.hpp"

namespace corolla::tests {

namespace {

using at::Tensor;
using model::kv_cache;
using model::page_list;

constexpr int64_t heads = 2, head_dim = 3;

/// [B, T, K, D], every element another number.
Tensor numbers(int64_t B, int64_t T, int64_t first) {
  return at::arange(first, first + B * T * heads * head_dim, at::TensorOptions(at::kFloat))
      .view({B, T, heads, head_dim});
}

/// All rows of what is stored, [B, S, K, D].
Tensor keys_of(const kv_cache& cache, const kv_cache::session& s, int64_t block, int64_t S) {
  std::vector<Tensor> rows;
  for (const auto& stored : cache.read(block, s, S)) rows.push_back(stored.keys.transpose(1, 2));
  return at::cat(rows);
}

Tensor values_of(const kv_cache& cache, const kv_cache::session& s, int64_t block, int64_t S) {
  std::vector<Tensor> rows;
  for (const auto& stored : cache.read(block, s, S)) rows.push_back(stored.values.transpose(1, 2));
  return at::cat(rows);
}

kv_cache made(int64_t pages, int64_t page_tokens) {
  return kv_cache({/*num_blocks=*/2, pages, page_tokens, heads, head_dim}, at::TensorOptions(at::kFloat));
}

/// A cache of 12 pages of 2 tokens in which no two free pages lie together but for the last four.
struct fragmented {
  fragmented() {
    std::vector<uint64_t> ids;
    for (int i = 0; i < 12; ++i) ids.push_back(cache.reserve(1, 2).value());
    for (const auto i : {1, 3, 5, 8, 9, 10, 11}) cache.release(ids[size_t(i)]);
  }
  kv_cache cache = made(12, 2);
};

}  // namespace

BOOST_AUTO_TEST_CASE(pages_are_taken_first_fit) {
  page_list pages(10);
  BOOST_TEST(pages.take_run(3).value() == 0);
  BOOST_TEST(pages.take_run(3).value() == 3);
  pages.give(0, 3);
  BOOST_TEST(pages.take_run(4).value() == 6);
  BOOST_TEST(pages.take_run(2).value() == 0);
  BOOST_TEST(pages.available() == 1);
  BOOST_TEST(!pages.take_run(2).has_value());
  BOOST_TEST(pages.take_one() == 2);
  BOOST_TEST(pages.available() == 0);
}

BOOST_AUTO_TEST_CASE(pages_given_back_join_their_neighbours) {
  page_list pages(9);
  BOOST_TEST_REQUIRE(pages.take_run(9).has_value());
  pages.give(0, 3);
  pages.give(6, 3);
  BOOST_TEST(!pages.take_run(4).has_value());
  pages.give(3, 3);
  BOOST_TEST(pages.available() == 9);
  BOOST_TEST(pages.take_run(9).value() == 0);
}

BOOST_AUTO_TEST_CASE(what_is_written_is_read_in_its_block_row_and_position) {
  auto cache = made(8, 4);
  cache.reserve(1, 5);
  auto& s = *cache.find(cache.reserve(2, 6).value());
  const auto first = numbers(2, 4, 0), second = numbers(2, 2, 100), other = numbers(2, 6, 500);
  cache.write(0, s, 0, first, first.neg());
  cache.write(1, s, 0, other, other.neg());
  cache.write(0, s, 4, second, second.neg());
  BOOST_TEST(at::equal(keys_of(cache, s, 0, 6), at::cat({first, second}, 1)));
  BOOST_TEST(at::equal(values_of(cache, s, 0, 6), at::cat({first, second}, 1).neg()));
  BOOST_TEST(at::equal(keys_of(cache, s, 0, 3), first.narrow(1, 0, 3)));
  BOOST_TEST(at::equal(keys_of(cache, s, 1, 6), other));
}

BOOST_AUTO_TEST_CASE(pages_that_lie_together_are_read_without_a_copy) {
  auto cache = made(8, 4);
  const auto& s = *cache.find(cache.reserve(3, 8).value());
  const auto stored = cache.read(0, s, 8);
  BOOST_TEST_REQUIRE(stored.size() == 1u);
  BOOST_TEST(stored[0].keys.size(0) == 3);
  BOOST_TEST(stored[0].keys.const_data_ptr() == cache.read(0, s, 5)[0].keys.const_data_ptr());
}

BOOST_FIXTURE_TEST_CASE(scattered_pages_hold_the_same, fragmented) {
  // Eight pages are wanted for two rows: one row fits the run of four, the other takes what is left.
  BOOST_TEST(cache.free_tokens() == 14);
  auto& s = *cache.find(cache.reserve(2, 6).value());
  BOOST_TEST_REQUIRE(s.stretches.size() == 2u);
  BOOST_TEST(s.stretches[0].first_slot == 16);
  BOOST_TEST(s.stretches[1].first_slot == -1);
  const auto first = numbers(2, 4, 0), second = numbers(2, 2, 100);
  cache.write(1, s, 0, first, first.neg());
  cache.write(1, s, 4, second, second.neg());
  BOOST_TEST(at::equal(keys_of(cache, s, 1, 6), at::cat({first, second}, 1)));
  BOOST_TEST(at::equal(values_of(cache, s, 1, 5), at::cat({first, second}, 1).narrow(1, 0, 5).neg()));
}

BOOST_FIXTURE_TEST_CASE(rows_are_reordered_with_repetitions_in_every_block, fragmented) {
  auto& s = *cache.find(cache.reserve(2, 6).value());
  const auto all = numbers(2, 6, 0), other = numbers(2, 6, 700);
  cache.write(0, s, 0, all, all.neg());
  cache.write(1, s, 0, other, other.neg());
  cache.reorder(s, std::vector<uint32_t>{1, 0}, 5);
  const auto swapped = [](const Tensor& t) { return t.flip(0).narrow(1, 0, 5); };
  BOOST_TEST(at::equal(keys_of(cache, s, 0, 5), swapped(all)));
  BOOST_TEST(at::equal(values_of(cache, s, 1, 5), swapped(other).neg()));
  cache.reorder(s, std::vector<uint32_t>{0, 0}, 5);
  BOOST_TEST(at::equal(keys_of(cache, s, 0, 5)[1], all[1].narrow(0, 0, 5)));
  // Positions that are not in use stay where they were.
  BOOST_TEST(at::equal(keys_of(cache, s, 0, 6)[0][5], all[0][5]));
}

BOOST_FIXTURE_TEST_CASE(sessions_do_not_touch_each_other, fragmented) {
  auto& a = *cache.find(cache.reserve(1, 4).value());
  auto& b = *cache.find(cache.reserve(2, 4).value());
  const auto of_a = numbers(1, 4, 0), of_b = numbers(2, 4, 100);
  cache.write(0, a, 0, of_a, of_a);
  cache.write(0, b, 0, of_b, of_b);
  BOOST_TEST(at::equal(keys_of(cache, a, 0, 4), of_a));
  BOOST_TEST(at::equal(keys_of(cache, b, 0, 4), of_b));
}

BOOST_FIXTURE_TEST_CASE(a_reservation_is_whole_or_nothing, fragmented) {
  BOOST_TEST(!cache.reserve(4, 4).has_value());
  BOOST_TEST(cache.free_tokens() == 14);
  const auto id = cache.reserve(7, 1).value();
  BOOST_TEST(cache.free_tokens() == 0);
  cache.release(id);
  BOOST_TEST(cache.free_tokens() == 14);
}

}  // namespace corolla::tests
