#include "model/weight_memory.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <utility>

namespace corolla::model {

namespace {

constexpr size_t huge_page = 2u << 20;
/// Its last, partly used huge page is what a mapping may waste.
constexpr size_t shared_mapping = 2 * large_weight;
constexpr size_t alignment = 64;

size_t round_up(size_t size, size_t unit) {
  return (size + unit - 1) / unit * unit;
}

/// Begins at a huge page.
std::shared_ptr<std::byte> map(size_t size) {
  auto* data = ::mmap(nullptr, size + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) throw std::bad_alloc{};
  auto* begin = static_cast<std::byte*>(data);
  const auto skipped = round_up(reinterpret_cast<uintptr_t>(begin), huge_page) - reinterpret_cast<uintptr_t>(begin);
  if (skipped > 0) ::munmap(begin, skipped);
  begin += skipped;
  if (skipped < huge_page) ::munmap(begin + size, huge_page - skipped);
  return {begin, [size](std::byte* p) { ::munmap(p, size); }};
}

}  // namespace

std::shared_ptr<std::byte> map_weights(size_t size) {
  auto own = map(round_up(size, 4096));
  // Where the kernel has no huge pages nothing is lost.
  ::madvise(own.get(), size / huge_page * huge_page, MADV_HUGEPAGE);
  return own;
}

std::shared_ptr<std::byte> weight_memory::take(size_t size) {
  size = round_up(size, alignment);
  if (size >= large_weight) return map_weights(size);
  if (size_ - used_ < size) {
    mapping_ = map(shared_mapping);
    ::madvise(mapping_.get(), shared_mapping, MADV_HUGEPAGE);
    used_ = 0;
    size_ = shared_mapping;
  }
  return {mapping_, mapping_.get() + std::exchange(used_, used_ + size)};
}

}  // namespace corolla::model
