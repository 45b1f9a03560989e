// Swarms of real processes on loopback, and clients of them.  Ports are the kernel's choice; nothing here sleeps, and
// every child ends with the object that stands for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/patience.hpp"
#include "tests/support/process.hpp"

namespace corolla::tests {

/// The folder of a model in tests/golden/tiny.
std::filesystem::path tiny_model(std::string_view name);

/// `corolla WORDS…` as it is run by hand, computing with one thread.
process start_corolla(const std::vector<std::string>& words, process_options options = {});
/// The same to its end.
run_result run_corolla(const std::vector<std::string>& words, process_options options = {});

/// A node on a free port, computing with one thread; `executable` is `corolla`, or does as it does.
process start_node(
    const std::string& executable, const std::filesystem::path& model, const std::vector<std::string>& options,
    process_options how = {});

/// `corolla node`.
class server {
 public:
  /// Starts it with `options` (such as "--node.blocks=0:1") on a free port.
  explicit server(const std::filesystem::path& model, const std::vector<std::string>& options = {});
  explicit server(process node) : child_{std::move(node)} {}

  /// Waits for the ready line, which the others below need.  Throws std::runtime_error if it does not come.
  void wait_until_ready();
  const std::string& ready_line() const { return ready_line_; }
  /// corolla://ID@HOST:PORT
  const std::string& address() const { return address_; }
  std::string peer() const;
  std::string host_port() const;
  uint16_t port() const;
  /// NAME@DIGEST
  const std::string& model() const { return model_; }

  process& child() { return child_; }

 private:
  process child_;
  std::string ready_line_, address_, model_;
};

/// Servers that know each other, and are ready.
class swarm {
 public:
  /// One server for each of `spans` ("0:1", "1:4"), all with the same further options.
  swarm(
      const std::filesystem::path& model, const std::vector<std::string>& spans,
      const std::vector<std::string>& options = {});

  const std::filesystem::path& model() const { return model_; }
  size_t size() const { return servers_.size(); }
  std::vector<server>& servers() { return servers_; }
  /// What a client is given: the first server's address.
  const std::string& address() const { return servers_.front().address(); }

  /// "COMMAND --model … --peers … WORDS…"
  std::vector<std::string> words(const std::string& command, const std::vector<std::string>& more) const;
  run_result run(const std::string& command, const std::vector<std::string>& more) const;
  process start(const std::string& command, const std::vector<std::string>& more) const;

 private:
  std::filesystem::path model_;
  std::vector<server> servers_;
};

/// Bytes that a process has in memory (VmRSS).
uint64_t resident_bytes(pid_t pid);

}  // namespace corolla::tests
