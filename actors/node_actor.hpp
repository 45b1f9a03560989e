// The process as an actor: its links, its sessions and the address at which it listens.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "actors/protocol.hpp"
#include "actors/wire/link.hpp"
#include "actors/wire/socket.hpp"

namespace corolla::actors {

/// The blocks that a node serves.
struct served_blocks {
  std::string model_name;
  model::model_digests digests;
  model::block_range blocks;
  model::dtype dtype = model::dtype::float32;
  int64_t hidden_size = 0;
  uint32_t max_positions = 0;
  uint64_t cache_tokens = 0;
  uint64_t cache_bytes = 0;  ///< keys and values of a token in one block
  float steps_per_s = 0;     ///< decode steps, measured at start; 0: unknown
  float forward_per_s = 0;   ///< prompt tokens, measured at start; 0: unknown
  std::string numerics;      ///< kernels and dtype, such as "cpu-f32"
  block_actor block;
};

struct node_settings {
  std::shared_ptr<const wire::link_config> link;
  directory_actor directory;
  dialer_actor dialer;
  /// Raised when the node begins to end: what the dialer gives up a dial for.
  std::shared_ptr<const wire::interrupt> stops_dials = std::make_shared<const wire::interrupt>();
  /// Makes a link of a socket that was dialled; tests in virtual time have their own.
  std::function<wire::link_actor(caf::actor_system&, wire::link_start)> make_link = wire::spawn_link;
  std::string software;
  /// Nothing where the node is a client, or a bootstrap node that serves no blocks.
  std::optional<served_blocks> served;
  uint32_t max_sessions = 64;
  uint32_t max_length = wire::limits::session_length;  ///< tokens of one session
  uint32_t max_batch = wire::limits::session_batch;    ///< rows of one session
  uint64_t log_bytes = 256u << 20;                     ///< of all sessions' output logs together
  std::chrono::milliseconds max_alloc_timeout = std::chrono::minutes{1};
  /// Sessions get so long to find another server when the node is asked to leave.
  std::chrono::milliseconds drain_timeout = std::chrono::seconds{3};
  /// Told how many have not, where any have not; may be empty.
  std::function<void(uint32_t)> left_behind;
  /// Set when the node begins to end, so that the block does not finish what it computes.
  std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
};

/// The node ends itself, and all that its settings name, when told to stop.
node_actor spawn_node(caf::actor_system& system, node_settings settings);

}  // namespace corolla::actors
