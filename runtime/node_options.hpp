// What a node is told at its start; config/node.ini explains each option for people.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/block_range.hpp"
#include "model/tensor.hpp"
#include "runtime/logging.hpp"
#include "runtime/swarm_options.hpp"

namespace corolla::runtime {

struct node_options {
  /// False: a node that others are found through, which serves no blocks and needs no model.
  bool serve = true;
  std::filesystem::path model;
  /// Not given: all of the model's.
  std::optional<model::block_range> blocks;

  std::string host = "127.0.0.1";
  uint16_t port = 0;
  /// "HOST:PORT" that others are told to dial instead of what the socket is bound to.
  std::vector<std::string> announce;
  /// corolla://ID@HOST:PORT of nodes that are in the swarm already.
  std::vector<std::string> peers;
  swarm_options swarm;

  model::dtype dtype = model::dtype::float32;
  std::string device = "cpu";
  uint32_t threads = 1;

  uint64_t cache_tokens = 4096;
  uint32_t page_tokens = 16;
  /// Host memory for the outputs that sessions keep in case the next hop is lost.
  uint64_t log_bytes = 256u << 20;
  uint32_t max_sessions = 64;
  uint32_t max_length = 8192;  ///< tokens of one session
  uint32_t max_batch = 16;     ///< rows of one session
  uint32_t pass_rows = 512;    ///< rows that one pass over the weights takes, of all sessions together
  std::chrono::milliseconds max_alloc_timeout = std::chrono::minutes{1};
  /// Sessions get so long to find another server after SIGTERM.
  std::chrono::milliseconds drain_timeout = std::chrono::seconds{3};
  /// A peer that has been silent for so long is dead.
  std::chrono::milliseconds liveness = std::chrono::seconds{5};

  logging_options log;
};

}  // namespace corolla::runtime
