// What the measurements of whole generations share: nodes as child processes on chosen processors, and a prompt.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

#include "model/block_range.hpp"
#include "runtime/bench.hpp"
#include "runtime/client.hpp"

namespace corolla::runtime {

/// A folder for the identities of a measurement's nodes; removed at the end.
class bench_folder {
 public:
  bench_folder();
  ~bench_folder();
  bench_folder(const bench_folder&) = delete;
  bench_folder& operator=(const bench_folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct bench_node_options {
  std::string model;
  model::block_range blocks;
  uint32_t threads = 1;
  std::string peer;    ///< address of a node that is up already; empty for the first
  int processor = -1;  ///< on which it runs; -1: on any
  uint64_t cache_tokens = 4096;
};

/// `corolla node` as a child process; up once constructed.  Throws std::runtime_error with what it said.
class bench_node {
 public:
  bench_node(const bench_folder& folder, const bench_node_options& options);
  ~bench_node();
  bench_node(const bench_node&) = delete;
  bench_node& operator=(const bench_node&) = delete;
  const std::string& address() const { return address_; }

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
model::generation_request bench_request(std::vector<int64_t> prompt, uint32_t new_tokens);

}  // namespace corolla::runtime
