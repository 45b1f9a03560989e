#include "crypto/random.hpp"

#include "crypto/openssl.hpp"

#include <openssl/rand.h>

namespace corolla::crypto {

void fill_random(std::span<uint8_t> out) {
  require(RAND_bytes_ex(nullptr, out.data(), out.size(), /*strength=*/0) == 1, "draw random bytes");
}

}  // namespace corolla::crypto
