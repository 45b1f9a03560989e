#pragma once

#include "tests/actors/route_fixture.hpp"

namespace corolla::tests {

/// Servers that form a chain of three, each with a spare that comes later.
struct chain {
  virtual_swarm swarm;
  std::vector<model::block_range> spans{{0, 2}, {2, 4}, {4, 6}};

  explicit chain(std::chrono::microseconds delay = {}) : swarm{delay} {
    for (auto& span : spans) swarm.add(span);
  }
  void add_spares(uint64_t cache_tokens = 4096) {
    for (auto& span : spans) swarm.add(span, cache_tokens);
  }
  /// Nothing of any session is left at the client, nor at any server that lives.
  void check_empty() {
    swarm.pass(30s);
    const auto left = left_behind();
    BOOST_TEST(left.empty(), left);
  }
  /// What the client and the servers that live keep of sessions; nothing where they keep nothing.
  std::string left_behind(std::optional<size_t> besides = {}) {
    std::string left;
    for (size_t i = 0; i < swarm.size(); ++i)
      if (i != besides && swarm.is_alive(i)) left += swarm.left_at(i);
    return left;
  }
};

}  // namespace corolla::tests
