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
  void add_spares() {
    for (auto& span : spans) swarm.add(span);
  }
  /// Nothing of any session is left at any server that lives.
  void check_empty() {
    swarm.pass(30s);
    for (size_t i = 1; i < swarm.size(); ++i) {
      if (!swarm.is_alive(i)) continue;
      BOOST_TEST(swarm.used_tokens(i) == 0u, "server " << i << " keeps " << swarm.used_tokens(i) << " tokens");
      BOOST_TEST(swarm.status(i).sessions == 0u, "server " << i);
      BOOST_TEST(swarm.status(i).log_room == 0u, "server " << i);
    }
  }
};

}  // namespace corolla::tests
