// Five servers behind bad networks, and the faults that befall them: random, but each block is always held by a server
// that nothing ails.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "runtime/bench_proxied_node.hpp"
#include "runtime/benches.hpp"

namespace corolla::runtime {

enum class chaos_fault : uint8_t { kill, terminate, stop, cut, silence };
inline constexpr std::array chaos_fault_names{"kill -9", "SIGTERM", "SIGSTOP", "links cut", "silent one way"};

class bench_chaos_swarm {
 public:
  using clock = std::chrono::steady_clock;

  /// The same seed makes the same faults, as far as times allow.
  explicit bench_chaos_swarm(const bench_settings& settings);

  /// Of a node that no fault befalls.
  const std::string& address() const { return meeting_point_.address(); }
  /// Lets faults befall servers, puts them right after a while, and returns at `end`.
  void rage(clock::time_point end);
  /// Puts everything right, and returns when the swarm has had time to notice.
  void calm();
  /// How many of each kind there were.
  const std::array<size_t, chaos_fault_names.size()>& faults() const { return faults_; }
  /// Ids of servers that together hold all blocks; every server is in one chain.
  std::vector<std::vector<std::string>> chains() const;

 private:
  struct member {
    model::block_range blocks;
    std::unique_ptr<bench_proxied_node> server;
    chaos_fault ailment = chaos_fault::cut;
    bool is_long = false;  ///< longer than a silent link lives
    /// When it is put right, and from when it counts again: the swarm may have to notice.
    clock::time_point cured = clock::time_point::max(), sound = clock::time_point::min();
  };

  void start(member& m);
  void ail(member& m, clock::time_point now);
  void cure(member& m);
  bool dispensable(const member& m, clock::time_point now) const;
  double random(double least, double most);

  bench_settings settings_;
  uint32_t blocks_;
  std::mt19937_64 random_;
  bench_node meeting_point_;
  std::vector<member> members_;
  size_t victim_ = 0;  ///< the next
  std::array<size_t, chaos_fault_names.size()> faults_{};
};

/// Tokens that the cache of each server holds.
inline constexpr uint32_t chaos_cache_tokens = 1024;

}  // namespace corolla::runtime
