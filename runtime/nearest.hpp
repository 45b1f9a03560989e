// The valid word that a mistyped one was probably meant to be.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace corolla::runtime {

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate with the least distance to `word`, the first of several; empty where there are no candidates.
std::string_view nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace corolla::runtime
