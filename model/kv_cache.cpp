#include "model/kv_cache.hpp"

#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/stack.h>
#include <c10/util/Exception.h>

namespace corolla::model {

namespace {

int64_t pages_for(int64_t tokens, int64_t page_tokens) {
  return (tokens + page_tokens - 1) / page_tokens;
}

/// A copy on `device`.
at::Tensor index_tensor(std::vector<int64_t> values, c10::Device device) {
  const auto size = static_cast<int64_t>(values.size());
  return at::from_blob(values.data(), {size}, at::TensorOptions(at::kLong))
      .to(device, /*non_blocking=*/false, /*copy=*/true);
}

/// [count, S, K, D] -> [count, K, S, D]
at::Tensor heads_first(const at::Tensor& t) {
  return t.transpose(1, 2);
}

}  // namespace

page_list::page_list(int64_t count) : available_(count) {
  if (count > 0) runs_.emplace(0, count);
}

std::optional<int64_t> page_list::take_run(int64_t count) {
  for (auto run = runs_.begin(); run != runs_.end(); ++run) {
    const auto [first, size] = *run;
    if (size < count) continue;
    runs_.erase(run);
    if (size > count) runs_.emplace(first + count, size - count);
    available_ -= count;
    return first;
  }
  return std::nullopt;
}

int64_t page_list::take_one() {
  return take_run(1).value();
}

void page_list::give(int64_t first, int64_t count) {
  available_ += count;
  auto next = runs_.lower_bound(first);
  if (next != runs_.end() && next->first == first + count) {
    count += next->second;
    next = runs_.erase(next);
  }
  if (next != runs_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == first) {
      before->second += count;
      return;
    }
  }
  runs_.emplace(first, count);
}

kv_cache::kv_cache(const layout& shape, const at::TensorOptions& options)
    : shape_(shape), device_(options.device()), free_(shape.num_pages) {
  const auto slots = [&] { return at::empty({num_tokens(), shape.num_heads, shape.head_dim}, options); };
  try {
    for (int64_t block = 0; block < shape.num_blocks; ++block) pools_.push_back({slots(), slots()});
  } catch (const c10::Error&) {
    const auto token = static_cast<uint64_t>(2 * shape.num_blocks * shape.num_heads * shape.head_dim);
    const auto bytes = static_cast<uint64_t>(num_tokens()) * token * options.dtype().itemsize();
    throw std::runtime_error(
        "the cache of " + std::to_string(num_tokens()) + " tokens needs " + std::to_string(bytes) +
        " bytes, which cannot be allocated (a node holds node.cache_tokens)");
  }
}

uint64_t kv_cache::tokens_needed(uint32_t batch, uint32_t max_length) const {
  return static_cast<uint64_t>(batch) * pages_for(max_length, shape_.page_tokens) * shape_.page_tokens;
}

std::optional<uint64_t> kv_cache::reserve(uint32_t batch, uint32_t max_length) {
  if (tokens_needed(batch, max_length) > static_cast<uint64_t>(free_tokens())) return std::nullopt;
  const auto pages_per_row = pages_for(max_length, shape_.page_tokens);
  session s;
  s.batch = batch;
  s.max_length = max_length;
  s.row_tokens = pages_per_row * shape_.page_tokens;
  place_rows(s, pages_per_row);
  sessions_.emplace(++last_id_, std::move(s));
  return last_id_;
}

void kv_cache::place_rows(session& s, int64_t pages_per_row) {
  const auto all = s.batch * pages_per_row;
  s.pages.reserve(all);
  if (const auto first = free_.take_run(all)) {
    for (int64_t i = 0; i < all; ++i) s.pages.push_back(*first + i);
    s.stretches.push_back({/*row=*/0, s.batch, *first * shape_.page_tokens, {}});
    return;
  }
  for (int64_t row = 0; row < s.batch; ++row) place_row(s, row, pages_per_row);
}

void kv_cache::place_row(session& s, int64_t row, int64_t pages_per_row) {
  if (const auto first = free_.take_run(pages_per_row)) {
    for (int64_t i = 0; i < pages_per_row; ++i) s.pages.push_back(*first + i);
    s.stretches.push_back({row, /*count=*/1, *first * shape_.page_tokens, {}});
    return;
  }
  std::vector<int64_t> slots;
  slots.reserve(s.row_tokens);
  for (int64_t i = 0; i < pages_per_row; ++i) {
    s.pages.push_back(free_.take_one());
    for (int64_t j = 0; j < shape_.page_tokens; ++j) slots.push_back(s.pages.back() * shape_.page_tokens + j);
  }
  s.stretches.push_back({row, /*count=*/1, /*first_slot=*/-1, index_tensor(std::move(slots), device_)});
}

void kv_cache::release(uint64_t id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  for (const auto page : found->second.pages) free_.give(page, 1);
  sessions_.erase(found);
}

kv_cache::session* kv_cache::find(uint64_t id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

const kv_cache::session* kv_cache::find(uint64_t id) const {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

at::Tensor kv_cache::rows_in(
    const at::Tensor& slots, const session& s, const stretch& part, int64_t from, int64_t T) const {
  const auto token = shape_.num_heads * shape_.head_dim;
  return slots.as_strided(
      {part.count, T, shape_.num_heads, shape_.head_dim}, {s.row_tokens * token, token, shape_.head_dim, 1},
      (part.first_slot + from) * token);
}

void kv_cache::write_pool(at::Tensor& slots, const session& s, int64_t position, const at::Tensor& values) const {
  const auto T = values.size(1);
  for (const auto& part : s.stretches) {
    const auto rows = values.narrow(0, part.row, part.count);
    if (part.first_slot >= 0)
      rows_in(slots, s, part, position, T).copy_(rows);
    else
      slots.index_copy_(0, part.slots.narrow(0, position, T), rows[0]);
  }
}

void kv_cache::write(
    int64_t block, const session& s, int64_t position, const at::Tensor& keys, const at::Tensor& values) {
  write_pool(pools_[block].keys, s, position, keys);
  write_pool(pools_[block].values, s, position, values);
}

std::vector<kv_cache::stored> kv_cache::read(int64_t block, const session& s, int64_t S) const {
  std::vector<stored> result;
  for (const auto& part : s.stretches) {
    const auto rows = [&](const at::Tensor& slots) {
      if (part.first_slot >= 0) return heads_first(rows_in(slots, s, part, /*from=*/0, S));
      return heads_first(at::index_select(slots, 0, part.slots.narrow(0, 0, S)).unsqueeze(0));
    };
    result.push_back({part.row, rows(pools_[block].keys), rows(pools_[block].values)});
  }
  return result;
}

at::Tensor kv_cache::copy(int64_t block, const session& s, int64_t position, int64_t T) const {
  std::vector<at::Tensor> rows;
  for (const auto& part : s.stretches) {
    const auto of = [&](const at::Tensor& slots) {
      if (part.first_slot >= 0) return rows_in(slots, s, part, position, T);
      return at::index_select(slots, 0, part.slots.narrow(0, position, T)).unsqueeze(0);
    };
    rows.push_back(at::stack({of(pools_[block].keys), of(pools_[block].values)}, /*dim=*/2));
  }
  return at::cat(rows);
}

void kv_cache::reorder(const session& s, std::span<const uint32_t> order, int64_t length) {
  const auto from = index_tensor({order.begin(), order.end()}, device_);
  for (int64_t block = 0; block < shape_.num_blocks; ++block) {
    std::vector<at::Tensor> keys, values;
    for (const auto& part : read(block, s, length)) {
      keys.push_back(heads_first(part.keys));
      values.push_back(heads_first(part.values));
    }
    // Copies of all rows first: a row may be wanted after it was overwritten.
    write(block, s, 0, at::cat(keys).index_select(0, from), at::cat(values).index_select(0, from));
  }
}

}  // namespace corolla::model
