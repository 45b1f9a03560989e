// A node of a measurement behind a bad network.
#pragma once

#include "runtime/bench_swarm.hpp"
#include "runtime/fault_proxy.hpp"
#include "runtime/reserved_port.hpp"

namespace corolla::runtime {

/// Announces its proxy, so that clients and other nodes reach it through that alone: every link between nodes of this
/// kind, and to them, passes one proxy.
class bench_proxied_node {
 public:
  bench_proxied_node(bench_node_options options, fault_settings faults);

  fault_proxy& network() { return network_; }
  const bench_node& node() const { return node_; }

 private:
  static fault_settings leading_to(fault_settings faults, const reserved_port& port);
  static bench_node_options behind(bench_node_options options, const reserved_port& port, const fault_proxy& network);

  reserved_port port_;
  fault_proxy network_;
  bench_node node_;
};

}  // namespace corolla::runtime
