// Keys and values of all sessions: pages of one pool for each block, reserved when a session opens and never moved.
// B batch, T new tokens, S all tokens, K key/value heads, D head size.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include <ATen/core/Tensor.h>

namespace corolla::model {

/// Free pages [0, count), as runs: taken first fit, joined when given back.
class page_list {
 public:
  explicit page_list(int64_t count);
  int64_t available() const { return available_; }
  /// The first of `count` pages in a row; nullopt where no run is so long.
  std::optional<int64_t> take_run(int64_t count);
  /// Any page.  There must be one.
  int64_t take_one();
  void give(int64_t first, int64_t count);

 private:
  std::map<int64_t, int64_t> runs_;  // first page -> number of pages
  int64_t available_;
};

class kv_cache {
 public:
  struct layout {
    int64_t num_blocks, num_pages, page_tokens, num_heads, head_dim;  // num_heads: K
  };

  /// Rows [row, row + count) of a session that are read and written together.
  struct stretch {
    int64_t row, count;
    /// Token slot of the first row's first position, the rows following each other; -1: the pages are scattered.
    int64_t first_slot;
    /// Scattered pages: int64 [max_length], the slot of every position of the one row.
    at::Tensor slots;
  };

  /// One session's pages.
  struct session {
    int64_t batch = 0, max_length = 0;
    int64_t length = 0;      ///< positions in use
    int64_t row_tokens = 0;  ///< room for a row: max_length rounded up to pages
    std::vector<stretch> stretches;
    std::vector<int64_t> pages;
  };

  /// What attention reads of some rows.
  struct stored {
    int64_t row;
    at::Tensor keys, values;  // [count, K, S, D]
  };

  /// The pools' memory is untouched until it is written.  Throws std::runtime_error, with the bytes, where there is
  /// none.
  kv_cache(const layout& shape, const at::TensorOptions& options);

  int64_t num_tokens() const { return shape_.num_pages * shape_.page_tokens; }
  int64_t free_tokens() const { return free_.available() * shape_.page_tokens; }
  /// Tokens that a session takes, in whole pages for each row.
  uint64_t tokens_needed(uint32_t batch, uint32_t max_length) const;

  /// Nullopt when there is no room.  Ids are never used again.
  std::optional<uint64_t> reserve(uint32_t batch, uint32_t max_length);
  /// An id that is not reserved is ignored.
  void release(uint64_t id);
  /// Null for an id that is not reserved.
  session* find(uint64_t id);
  const session* find(uint64_t id) const;

  /// Row i becomes what row order[i] was, in its first `length` positions.
  void reorder(const session& s, std::span<const uint32_t> order, int64_t length);
  /// Stores keys and values, [B, T, K, D], of positions [position, position + T) in one block.
  void write(int64_t block, const session& s, int64_t position, const at::Tensor& keys, const at::Tensor& values);
  /// The first S positions of every row in one block: views where a stretch's pages lie together, else copies.
  std::vector<stored> read(int64_t block, const session& s, int64_t S) const;
  /// A copy of positions [position, position + T) of every row in one block: keys beside values, [B, T, 2, K, D].
  at::Tensor copy(int64_t block, const session& s, int64_t position, int64_t T) const;

 private:
  struct pool {
    at::Tensor keys, values;  // [slots, K, D]
  };

  void place_rows(session& s, int64_t pages_per_row);
  void place_row(session& s, int64_t row, int64_t pages_per_row);
  at::Tensor rows_in(const at::Tensor& slots, const session& s, const stretch& part, int64_t from, int64_t T) const;
  void write_pool(at::Tensor& slots, const session& s, int64_t position, const at::Tensor& values) const;

  layout shape_;
  c10::Device device_;
  page_list free_;
  std::vector<pool> pools_;
  std::unordered_map<uint64_t, session> sessions_;
  uint64_t last_id_ = 0;
};

}  // namespace corolla::model
