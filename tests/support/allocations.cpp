#include "tests/support/allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<size_t> largest = 0;

}  // namespace

void* operator new(size_t size) {
  auto seen = largest.load();
  while (size > seen && !largest.compare_exchange_weak(seen, size)) {
  }
  if (auto* bytes = std::malloc(size)) return bytes;
  throw std::bad_alloc{};
}
void operator delete(void* bytes) noexcept {
  std::free(bytes);
}
void operator delete(void* bytes, size_t) noexcept {
  std::free(bytes);
}

namespace corolla::tests {

size_t largest_allocation() {
  return largest;
}
void forget_allocations() {
  largest = 0;
}

}  // namespace corolla::tests
