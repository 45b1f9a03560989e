// Bits that nobody can guess.
#pragma once

#include <cstdint>
#include <span>

namespace corolla::crypto {

/// Fills `out` from OpenSSL's generator.  Throws std::runtime_error where the system gives no entropy.
void fill_random(std::span<uint8_t> out);

}  // namespace corolla::crypto
