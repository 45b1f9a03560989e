// A chain of server processes of which one is lost while a client generates: what the measurements of recovery share.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "runtime/bench_swarm.hpp"
#include "runtime/benches.hpp"

namespace corolla::runtime {

/// Servers with equal parts of the model's blocks, found through a node that serves nothing, so that none of them is
/// needed for that.
class bench_chain {
 public:
  bench_chain(const bench_settings& settings, uint32_t hops);

  size_t size() const { return places_.size(); }
  /// For clients.
  const std::string& address() const { return meeting_point_.address(); }
  /// Another server with this hop's blocks joins.
  void add_substitute(size_t hop);
  void strike(size_t hop, int signal);
  /// Waits until the hop's server is gone.
  void wait_for_end(size_t hop) const;
  /// What was struck ends, and the substitute has its place in the chain from now on.
  void replace(size_t hop);

 private:
  struct place {
    model::block_range blocks;
    std::unique_ptr<bench_node> server, substitute;
  };

  std::unique_ptr<bench_node> start(model::block_range blocks) const;

  bench_settings settings_;
  bench_node meeting_point_;
  std::vector<place> places_;
};

/// What is done to a chain, when so many new tokens have come.
struct bench_strike {
  size_t hop = 0;
  uint32_t at_token = 1;
  int signal = 0;
};
struct bench_struck {
  generated result;
  std::vector<float> margins;  ///< of each token: best less second-best logit
  std::vector<std::chrono::steady_clock::time_point> token_times;
  std::chrono::steady_clock::time_point struck;
  std::chrono::steady_clock::time_point gone;  ///< the process that was killed: before that nobody can know
  std::chrono::steady_clock::time_point next_token;
};

/// Generates and strikes.  The substitute joins with the first token, so that it is certain which server is in the
/// route; the client waits for it, and so none of that is in a time.
bench_struck generate_and_strike(
    client& through, bench_chain& chain, const model::generation_request& request, const bench_strike& how);

}  // namespace corolla::runtime
