// A real node whose blocks fail or are slow when a test wants it: tests/swarm/odd_node.
#pragma once

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/swarm.hpp"

namespace corolla::tests {

class odd_server {
 public:
  /// Each pass takes at least so long.
  explicit odd_server(
      const std::filesystem::path& model, const std::vector<std::string>& options, std::chrono::milliseconds pass = {})
      : node{start_node(
            std::string{COROLLA_BINARY_DIR} + "/tests/odd_node", model, options,
            {{"PASS_MS=" + std::to_string(pass.count())}, {}, {}})} {}

  /// Waits for the node, as `server` does.
  void wait_until_ready() { node.wait_until_ready(); }
  const std::string& address() const { return node.address(); }

  /// When it returns, the next pass will fail, and no other.
  void fail_next_pass() {
    node.child().signal(SIGUSR1);
    node.child().wait_for_line("the next pass fails", patience);
  }

  server node;
};

}  // namespace corolla::tests
