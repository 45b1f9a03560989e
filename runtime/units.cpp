#include "runtime/units.hpp"

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

namespace corolla::runtime {
namespace {

using unit = std::pair<std::string_view, double>;

/// Of "1.5s" 1.5 times what s stands for.
std::optional<double> parse(std::string_view text, std::span<const unit> units) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || !(number >= 0)) return std::nullopt;
  const auto name = text.substr(static_cast<size_t>(end - text.data()));
  const auto found = std::find_if(units.begin(), units.end(), [&](const unit& one) { return one.first == name; });
  if (found == units.end()) return std::nullopt;
  return number * found->second;
}

}  // namespace

std::optional<std::chrono::nanoseconds> parse_time(std::string_view text) {
  constexpr unit units[] = {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600}};
  constexpr double longest = 10 * 24 * 3600;
  const auto seconds = parse(text, units);
  if (!seconds || !(*seconds <= longest)) return std::nullopt;
  return std::chrono::round<std::chrono::nanoseconds>(std::chrono::duration<double>(*seconds));
}

std::optional<uint64_t> parse_rate(std::string_view text) {
  constexpr unit units[] = {{"bit", 1. / 8}, {"kbit", 1e3 / 8}, {"Mbit", 1e6 / 8}, {"Gbit", 1e9 / 8}};
  constexpr double most = 1e15;
  const auto bytes = parse(text, units);
  if (!bytes || *bytes < 1 || *bytes > most) return std::nullopt;
  return static_cast<uint64_t>(*bytes);
}

std::optional<double> parse_part(std::string_view text) {
  constexpr unit units[] = {{"%", 0.01}};
  const auto part = parse(text, units);
  return part && *part <= 1 ? part : std::nullopt;
}

std::optional<uint64_t> parse_count(std::string_view text) {
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return count;
}

}  // namespace corolla::runtime
