// The first frame that each side sends after TLS: who it is, which versions it speaks and what it takes.  The layout is
// frozen, so that nodes of any two versions can tell each other why they do not talk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actors/wire/limits.hpp"

namespace corolla::actors::wire {

/// What the sender of a hello takes: the other side must not go beyond it.
struct intake {
  uint32_t streams = limits::open_streams;   ///< that the other side opened
  uint32_t credit = limits::chunk_bytes;     ///< of each stream, at its begin
  uint32_t chunk = limits::chunk_bytes;      ///< in one data frame; at least 4096
  uint32_t payload = limits::payload_bytes;  ///< of one message
  bool operator==(const intake&) const = default;
};

struct hello {
  uint16_t min_version = 1;
  uint16_t max_version = 1;
  bool is_server = false;
  std::string software;              ///< at most 64 bytes
  std::string model_name;            ///< at most 128 bytes; empty where there is none
  std::array<uint8_t, 32> model{};   ///< digest
  std::vector<uint8_t> certificate;  ///< of membership, at most 1024 bytes
  uint64_t instance = 0;             ///< of the process; 0: not told
  intake takes;
  bool operator==(const hello&) const = default;
};

/// Throws std::length_error for a text or a certificate beyond its limit: a mistake of this side.
std::vector<std::byte> encode(const hello& self);
/// nullopt unless the bytes are exactly one hello; keys that are not known are passed over.
std::optional<hello> decode_hello(std::span<const std::byte> bytes);

/// The lower of the two highest versions, if both speak it.
std::optional<uint16_t> common_version(const hello& a, const hello& b);

}  // namespace corolla::actors::wire
