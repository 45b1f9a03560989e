// Blocks [begin, end) of a model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace corolla::model {

struct block_range {
  uint32_t begin = 0;
  uint32_t end = 0;

  uint32_t size() const { return end > begin ? end - begin : 0; }
  bool empty() const { return end <= begin; }
  bool contains(block_range other) const { return begin <= other.begin && other.end <= end; }
  bool operator==(const block_range&) const = default;
};

/// "A:B" with A < B; nullopt otherwise.
std::optional<block_range> parse_block_range(std::string_view text);
/// "A:B"
std::string to_string(block_range r);

}  // namespace corolla::model
