#include "runtime/bench_proxied_node.hpp"

#include <utility>

namespace corolla::runtime {

bench_proxied_node::bench_proxied_node(bench_node_options options, fault_settings faults)
    : network_{leading_to(std::move(faults), port_)}, node_{behind(std::move(options), port_, network_)} {}

fault_settings bench_proxied_node::leading_to(fault_settings faults, const reserved_port& port) {
  faults.port = port.number();
  return faults;
}

bench_node_options bench_proxied_node::behind(
    bench_node_options options, const reserved_port& port, const fault_proxy& network) {
  options.port = port.number();
  options.announce = network.address();
  return options;
}

}  // namespace corolla::runtime
