// Byte-pair encoding: a vocabulary, and the order in which neighbouring symbols of a word merge.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace corolla::model {

/// As a tokenizer file gives it.
struct bpe_tables {
  /// More tokens, or a greater id, than any vocabulary in use has; what is beyond is refused.
  static constexpr int64_t max_vocabulary = int64_t{1} << 22;
  static constexpr size_t max_merges = size_t{1} << 23;

  std::vector<std::pair<std::string, int64_t>> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;  ///< first come, first merged
  std::string unknown;                                      ///< the token for a character without one; empty: dropped
  bool fuse_unknown = false;                                ///< one such token for a run of them
  bool ignore_merges = false;                               ///< a word that is a token is that token
};

/// Immutable.
class bpe {
 public:
  /// Throws tokenizer_error; `source` names the tables in its sentence ("model", say).
  bpe(bpe_tables tables, std::string_view source);

  /// Appends the ids of one word.  O(n log n).
  void encode(std::string_view word, std::vector<int64_t>& ids) const;

  /// -1: no such token.
  int64_t id_of(std::string_view token) const;
  /// Empty: no such id.
  std::string_view token(int64_t id) const;
  /// Number of tokens; ids may be greater.
  int64_t count() const { return static_cast<int64_t>(ids_.size()); }
  /// One more than the greatest id.
  int64_t end_id() const { return static_cast<int64_t>(tokens_.size()); }

 private:
  struct merge {
    uint32_t rank = 0;
    uint32_t id = 0;
  };
  struct symbol;
  struct candidate;

  void add_vocabulary(const bpe_tables& tables, std::string_view source);
  void add_merges(const bpe_tables& tables, std::string_view source);
  const merge* find_merge(uint32_t left, uint32_t right) const;
  std::vector<symbol> symbols_of(std::string_view word) const;
  void merge_all(std::vector<symbol>& symbols) const;

  std::string letters_;                                 // all tokens, one after another
  std::unordered_map<std::string_view, uint32_t> ids_;  // views into letters_
  std::vector<std::string_view> tokens_;                // by id
  std::unordered_map<uint64_t, merge> merges_;
  int64_t unknown_ = -1;
  bool fuse_unknown_ = false;
  bool ignore_merges_ = false;
};

}  // namespace corolla::model
