#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "model/weight_memory.hpp"

namespace corolla::tests {

namespace {

struct part {
  std::shared_ptr<std::byte> memory;
  size_t size;
  std::byte mark;
};

bool holds_its_mark(const part& p) {
  return std::all_of(p.memory.get(), p.memory.get() + p.size, [&](std::byte b) { return b == p.mark; });
}

/// Address space of this process, in bytes.
size_t mapped() {
  std::ifstream statm("/proc/self/statm");
  size_t pages = 0;
  statm >> pages;
  return pages * 4096;
}

}  // namespace

BOOST_AUTO_TEST_CASE(parts_are_aligned_and_apart_and_outlive_their_source) {
  std::vector<part> parts;
  {
    model::weight_memory memory;
    std::mt19937 random(7);
    // Small ones share a mapping, larger ones have their own: of a page, less or more, a huge page and more.
    for (const size_t size : {1u, 63u, 64u, 4096u, 4097u, 3u << 20, 32u << 20, (32u << 20) + 65, 40u << 20, 5u << 20})
      for (int copy = 0; copy < 2; ++copy) {
        parts.push_back({memory.take(size), size, static_cast<std::byte>(random() | 1u)});
        const auto& p = parts.back();
        BOOST_TEST(reinterpret_cast<uintptr_t>(p.memory.get()) % 64 == 0u);
        BOOST_TEST((p.memory.get()[0] == std::byte{0} && p.memory.get()[size - 1] == std::byte{0}));
        std::fill_n(p.memory.get(), size, p.mark);
      }
  }
  for (const auto& p : parts) BOOST_TEST(holds_its_mark(p));
}

BOOST_AUTO_TEST_CASE(memory_is_given_back_with_the_last_part) {
  const auto before = mapped();
  {
    model::weight_memory memory;
    auto kept = memory.take(1000);
    for (int i = 0; i < 100; ++i) memory.take(48u << 20);
    BOOST_TEST(mapped() < before + (400u << 20));
  }
  BOOST_TEST(mapped() < before + (64u << 20));
}

}  // namespace corolla::tests
