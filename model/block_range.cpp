#include "model/block_range.hpp"

#include <charconv>

namespace corolla::model {

namespace {

std::optional<uint32_t> parse_number(std::string_view text) {
  uint32_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace

std::optional<block_range> parse_block_range(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto begin = parse_number(text.substr(0, colon));
  const auto end = parse_number(text.substr(colon + 1));
  if (!begin || !end || *begin >= *end) return std::nullopt;
  return block_range{*begin, *end};
}

std::string to_string(block_range r) {
  return std::to_string(r.begin) + ':' + std::to_string(r.end);
}

}  // namespace corolla::model
