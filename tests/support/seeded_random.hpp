// Keys and session ids that are the same in every run, so that what failed with a seed fails again.
#pragma once

#include <cstdint>

namespace corolla::tests {

/// As long as it lives, OpenSSL draws from a generator with this seed: for tests only, and one thread.
class seeded_random {
 public:
  explicit seeded_random(uint64_t seed);
  ~seeded_random();
  seeded_random(const seeded_random&) = delete;

 private:
  const void* before_;  // the method in force
  void* outer_;         // the generator of the scope around this one
};

}  // namespace corolla::tests
