// Ids and small records that both the wire and the actors use.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

namespace corolla::actors {

/// 128 random bits, chosen by the client for each hop's session; knowing one gives no right (peers are checked).
struct session_id {
  std::array<uint8_t, 16> bytes{};
  static session_id random();
  auto operator<=>(const session_id&) const = default;
};
/// 32 hexadecimal digits.
std::string to_string(const session_id& id);

/// Which rows of a step's output the client wants from the last hop.
enum class rows_wanted : uint8_t { none = 0, last = 1, all = 2 };

/// Append only: the numbers travel.  What a substitute is given before its first step.
enum class restored_part : uint8_t {
  none = 0,     ///< nothing: it is a step
  rows = 1,     ///< what the hop before gave: to be computed
  cache = 2,    ///< keys and values of one block, as the hop that leaves has them: [B, T, 2 × K × D]
  outputs = 3,  ///< what that hop gave the next, for the log
};

}  // namespace corolla::actors

template <>
struct std::hash<corolla::actors::session_id> {
  size_t operator()(const corolla::actors::session_id& id) const noexcept {
    size_t h;
    std::memcpy(&h, id.bytes.data(), sizeof h);  // random already
    return h;
  }
};
