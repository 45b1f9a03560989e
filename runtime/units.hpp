// Numbers with a unit, as people write them on a command line.  nullopt for anything else.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace corolla::runtime {

/// "50ms", "1.5s": a number and one of us, ms, s, min, h; at most ten days.
std::optional<std::chrono::nanoseconds> parse_time(std::string_view text);
/// "100Mbit": a number and one of bit, kbit, Mbit, Gbit, each a second.  In bytes a second, at least 1.
std::optional<uint64_t> parse_rate(std::string_view text);
/// "20%": from 0% to 100%, as 0 to 1.
std::optional<double> parse_part(std::string_view text);
/// Digits alone.
std::optional<uint64_t> parse_count(std::string_view text);

}  // namespace corolla::runtime
