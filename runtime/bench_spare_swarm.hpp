// A swarm of which servers are lost while a client generates, each behind a bad network: what becomes of the tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/bench_proxied_node.hpp"
#include "runtime/benches.hpp"

namespace corolla::runtime {

class bench_spare_swarm {
 public:
  /// `copies` servers for each of so many equal parts of the model's blocks, each behind a network of that kind.
  bench_spare_swarm(
      const bench_settings& settings, uint32_t parts, size_t copies = 2, const fault_settings& network = {});

  /// Of a node that serves nothing and is never struck.
  const std::string& address() const { return meeting_point_.address(); }
  /// Throws std::runtime_error where there is no such server.
  bench_proxied_node& find(const std::string& peer) { return *member_of(peer)->server; }
  /// The other servers of its part.
  std::vector<bench_proxied_node*> others_of(const std::string& peer);
  /// It ends, and another server takes its place.
  void replace(const std::string& peer);

 private:
  struct member {
    model::block_range blocks;
    std::unique_ptr<bench_proxied_node> server;
  };

  std::unique_ptr<bench_proxied_node> start(model::block_range blocks) const;
  std::vector<member>::iterator member_of(const std::string& peer);

  bench_settings settings_;
  fault_settings network_;
  bench_node meeting_point_;
  std::vector<member> members_;
};

}  // namespace corolla::runtime
