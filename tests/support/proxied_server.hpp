// A real node behind a bad network: its record tells the proxy's address, so that clients and other nodes reach it
// through the proxy alone.  What the node itself dials goes out directly.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "runtime/fault_proxy.hpp"
#include "runtime/reserved_port.hpp"
#include "tests/support/swarm.hpp"

namespace corolla::tests {

class proxied_server {
 public:
  explicit proxied_server(
      const std::filesystem::path& model, std::vector<std::string> options, runtime::fault_settings faults = {})
      : network{leading_to(std::move(faults), port_.number())}, node{model, with_addresses(std::move(options))} {}

  /// Waits for the node, as `server` does.
  void wait_until_ready() { node.wait_until_ready(); }
  /// corolla://ID@HOST:PORT, where the port is the proxy's.
  const std::string& address() const { return node.address(); }

 private:
  static runtime::fault_settings leading_to(runtime::fault_settings faults, uint16_t port) {
    faults.port = port;
    return faults;
  }
  std::vector<std::string> with_addresses(std::vector<std::string> options) const {
    options.push_back("--node.port=" + std::to_string(port_.number()));
    options.push_back("--node.announce=[\"" + network.address() + "\"]");
    return options;
  }

  runtime::reserved_port port_;

 public:
  runtime::fault_proxy network;
  server node;
};

}  // namespace corolla::tests
