// A real node behind a bad network: its record tells the proxy's address, so that clients and other nodes reach it
// through the proxy alone.  What the node itself dials goes out directly.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "runtime/fault_proxy.hpp"
#include "runtime/tcp.hpp"
#include "tests/support/swarm.hpp"

namespace corolla::tests {

/// A port of 127.0.0.1 of the kernel's choice that is kept for whoever listens at it with SO_REUSEADDR, as nodes do:
/// the kernel gives it to nobody who asks for any, and lets it be bound once more as long as nobody listens.
class reserved_port {
 public:
  reserved_port() : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    const int on = 1;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("no port can be reserved");
    const auto name = runtime::tcp_local_name(socket_);
    number_ = static_cast<uint16_t>(std::stoi(name.substr(name.rfind(':') + 1)));
  }

  uint16_t number() const { return number_; }

 private:
  runtime::tcp_socket socket_;
  uint16_t number_ = 0;
};

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

  reserved_port port_;

 public:
  runtime::fault_proxy network;
  server node;
};

}  // namespace corolla::tests
