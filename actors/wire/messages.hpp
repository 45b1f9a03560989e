// What crosses a network: one plain struct for each message, made of bounded parts.  Bodies travel in cereal's portable
// binary (little-endian, one leading byte that says so) and must be consumed exactly.  The frame types are in
// frame.hpp.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "actors/wire/directory_bodies.hpp"
#include "actors/wire/session_bodies.hpp"

namespace corolla::actors::wire {

/// The bytes of a body.  Throws `malformed` if a part is beyond its limit: a mistake of this side.
template <class Body>
std::vector<std::byte> encode_body(const Body& body);
/// nullopt unless the bytes are exactly one such body.
template <class Body>
std::optional<Body> decode_body(std::span<const std::byte> bytes);

}  // namespace corolla::actors::wire
