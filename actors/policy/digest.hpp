// What two nodes tell each other to find out which records one of them lacks: ids and sequence numbers, in ranges of
// the id so that a digest of any size travels in frames of a bounded one.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace corolla::actors::policy {

/// The whole id of a record's owner.
using gossip_id = std::array<uint8_t, 32>;
/// Its first half: enough to tell owners apart, since nobody finds two keys with the same one.
using gossip_prefix = std::array<uint8_t, 16>;

struct digest_entry {
  gossip_prefix owner{};
  uint64_t seq = 0;
  auto operator<=>(const digest_entry&) const = default;
};

/// All that its sender holds from `first` to `last`, both included, by rising owner: what is not in it is missing
/// there.
struct digest_range {
  gossip_prefix first{};
  gossip_prefix last{};
  std::vector<digest_entry> entries;
  bool operator==(const digest_range&) const = default;
};

/// The most entries of one range.
inline constexpr size_t max_digest_entries = 160;

}  // namespace corolla::actors::policy
