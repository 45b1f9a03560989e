// What the measurements of whole generations share: nodes as child processes on chosen processors, and a prompt.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "model/block_range.hpp"
#include "runtime/bench.hpp"
#include "runtime/benches.hpp"
#include "runtime/client.hpp"

namespace corolla::runtime {

struct bench_node_options {
  std::string model;  ///< empty: a node that serves nothing, and through which others are found
  model::block_range blocks;
  uint32_t threads = 1;
  std::string peer;    ///< address of a node that is up already; empty for the first
  int processor = -1;  ///< on which it runs; -1: on any
  uint64_t cache_tokens = 4096;
  uint16_t port = 0;     ///< 0: the kernel's choice
  std::string announce;  ///< HOST:PORT that others are told to dial, where it is another
};

/// `corolla node` as a child process, with an identity of its own; up once constructed, and ended with the thread that
/// constructed it at the latest.  Throws std::runtime_error with what it said.
class bench_node {
 public:
  explicit bench_node(const bench_node_options& options);
  ~bench_node();
  bench_node(const bench_node&) = delete;
  bench_node& operator=(const bench_node&) = delete;
  const std::string& address() const { return address_; }
  /// After SIGSTOP nothing of it runs any more.
  void signal(int number) const;
  /// Waits until the process is gone.
  void wait() const;

 private:
  pid_t pid_ = -1;
  std::string address_;
};

/// Processors that this process may use.
std::vector<int> processors();
/// From now on this thread, and those that it starts, run on one processor.
void pin_to(int processor);

double median(std::vector<double> values);

/// `tokens` ids that are the same each time.
std::vector<int64_t> bench_prompt(const std::string& model, uint32_t tokens);
/// A client of the swarm at this address; of none, one that runs the model in this process.
client_options bench_client(const bench_settings& settings, const std::string& address = {});
model::generation_request bench_request(std::vector<int64_t> prompt, uint32_t new_tokens);

}  // namespace corolla::runtime
