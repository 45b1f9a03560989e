// The one way to exchange OpenSSL's generator without a provider of one's own; deprecated since 3.0, and still heeded.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tests/support/seeded_random.hpp"

#include <random>
#include <utility>

#include <openssl/rand.h>

namespace corolla::tests {
namespace {

using generator = std::mt19937_64;
generator* current = nullptr;

int draw(unsigned char* out, int count) {
  for (int i = 0; i < count; ++i) out[i] = static_cast<unsigned char>((*current)());
  return 1;
}

int is_ready() {
  return 1;
}

const RAND_METHOD method{nullptr, draw, nullptr, nullptr, draw, is_ready};

}  // namespace

seeded_random::seeded_random(uint64_t seed)
    : before_{RAND_get_rand_method()}, outer_{std::exchange(current, new generator{seed})} {
  RAND_set_rand_method(&method);
}

seeded_random::~seeded_random() {
  RAND_set_rand_method(static_cast<const RAND_METHOD*>(before_));
  delete std::exchange(current, static_cast<generator*>(outer_));
}

}  // namespace corolla::tests
