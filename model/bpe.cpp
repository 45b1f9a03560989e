#include "model/bpe.hpp"

#include <algorithm>
#include <queue>

#include "model/tokenizer.hpp"
#include "model/tokenizer_utf8.hpp"

namespace corolla::model {

namespace {

constexpr uint32_t none = UINT32_MAX;

uint64_t pair_key(uint32_t left, uint32_t right) {
  return uint64_t{left} << 32 | right;
}

}  // namespace

/// A token of the word in work, linked with its neighbours; one that was merged into its left neighbour is `gone`.
struct bpe::symbol {
  uint32_t id = 0;
  uint32_t previous = none;
  uint32_t next = none;
  bool gone = false;
};

/// Two neighbours that may merge.  Stale where the symbols have changed since.
struct bpe::candidate {
  uint32_t rank = 0;
  uint32_t position = 0;
  uint32_t id = 0;

  bool operator<(const candidate& other) const {  // the top of a heap: lowest rank, then leftmost
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};

bpe::bpe(bpe_tables tables, std::string_view source)
    : fuse_unknown_(tables.fuse_unknown), ignore_merges_(tables.ignore_merges) {
  add_vocabulary(tables, source);
  add_merges(tables, source);
  if (!tables.unknown.empty()) {
    unknown_ = id_of(tables.unknown);
    if (unknown_ < 0)
      throw tokenizer_error(std::string(source) + ": the unknown token \"" + tables.unknown + "\" has no id");
  }
}

void bpe::add_vocabulary(const bpe_tables& tables, std::string_view source) {
  const auto fail = [source](const std::string& what) { throw tokenizer_error(std::string(source) + ": " + what); };
  if (tables.vocabulary.size() > static_cast<size_t>(bpe_tables::max_vocabulary))
    fail("the vocabulary has more than " + std::to_string(bpe_tables::max_vocabulary) + " tokens");
  int64_t end = 0;
  size_t length = 0;
  for (const auto& [token, id] : tables.vocabulary) {
    if (id < 0 || id >= bpe_tables::max_vocabulary)
      fail("the token \"" + token + "\" has the id " + std::to_string(id) + ", which is out of range");
    end = std::max(end, id + 1);
    length += token.size();
  }
  letters_.reserve(length);  // never to move: views are taken below
  tokens_.resize(static_cast<size_t>(end));
  ids_.reserve(tables.vocabulary.size());
  for (const auto& [token, id] : tables.vocabulary) {
    if (token.empty()) fail("the token with the id " + std::to_string(id) + " is empty");
    auto& slot = tokens_[static_cast<size_t>(id)];
    if (!slot.empty()) fail("two tokens have the id " + std::to_string(id));
    const auto begin = letters_.size();
    letters_ += token;
    slot = std::string_view(letters_).substr(begin);
    if (!ids_.emplace(slot, static_cast<uint32_t>(id)).second) fail("the token \"" + token + "\" has two ids");
  }
}

void bpe::add_merges(const bpe_tables& tables, std::string_view source) {
  const auto id = [&](const std::string& token) {
    const auto found = ids_.find(token);
    if (found == ids_.end())
      throw tokenizer_error(std::string(source) + ": a merge names \"" + token + "\", which is not in the vocabulary");
    return found->second;
  };
  if (tables.merges.size() > bpe_tables::max_merges)
    throw tokenizer_error(std::string(source) + ": there are too many merges");
  merges_.reserve(tables.merges.size());
  uint32_t rank = 0;
  for (const auto& [left, right] : tables.merges) merges_[pair_key(id(left), id(right))] = {rank++, id(left + right)};
}

int64_t bpe::id_of(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? -1 : int64_t{found->second};
}

std::string_view bpe::token(int64_t id) const {
  return id < 0 || id >= end_id() ? std::string_view() : tokens_[static_cast<size_t>(id)];
}

const bpe::merge* bpe::find_merge(uint32_t left, uint32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void bpe::encode(std::string_view word, std::vector<int64_t>& ids) const {
  if (ignore_merges_) {
    if (const auto id = id_of(word); id >= 0) {
      ids.push_back(id);
      return;
    }
  }
  auto symbols = symbols_of(word);
  merge_all(symbols);
  for (const auto& s : symbols)
    if (!s.gone) ids.push_back(s.id);
}

std::vector<bpe::symbol> bpe::symbols_of(std::string_view word) const {
  std::vector<symbol> symbols;
  symbols.reserve(word.size());
  bool after_unknown = false;
  for (size_t at = 0; at < word.size();) {
    const auto size = character_at(word, at).size;
    auto id = id_of(word.substr(at, size));
    at += size;
    const bool unknown = id < 0;
    if (unknown) {
      if (unknown_ < 0 || (fuse_unknown_ && after_unknown)) continue;
      id = unknown_;
    }
    after_unknown = unknown;
    const auto position = static_cast<uint32_t>(symbols.size());
    if (position > 0) symbols.back().next = position;
    symbols.push_back({static_cast<uint32_t>(id), position > 0 ? position - 1 : none});
  }
  return symbols;
}

void bpe::merge_all(std::vector<symbol>& symbols) const {
  std::priority_queue<candidate> queue;
  const auto consider = [&](uint32_t position) {
    if (position == none || symbols[position].next == none) return;
    if (const auto* m = find_merge(symbols[position].id, symbols[symbols[position].next].id))
      queue.push({m->rank, position, m->id});
  };
  for (uint32_t i = 0; i + 1 < symbols.size(); ++i) consider(i);
  while (!queue.empty()) {
    const auto top = queue.top();
    queue.pop();
    auto& left = symbols[top.position];
    if (left.gone || left.next == none) continue;
    auto& right = symbols[left.next];
    const auto* m = find_merge(left.id, right.id);
    if (!m || m->id != top.id) continue;  // stale
    left.id = m->id;
    left.next = right.next;
    right.gone = true;
    if (right.next != none) symbols[right.next].previous = top.position;
    consider(left.previous);
    consider(top.position);
  }
}

}  // namespace corolla::model
