// The options that every command which runs a model shares.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "runtime/client.hpp"
#include "runtime/commands/swarm_flags.hpp"

namespace corolla::runtime::commands {

class client_flags {
 public:
  /// Adds the options to `app`, which must not outlive this object.
  void add_to(CLI::App& app);
  /// After parsing.  Throws usage_error for what contradicts itself.
  client_options options() const;

 private:
  std::string model_, dtype_ = "float32", deep_prompts_;
  std::vector<std::string> allow_, block_;
  bool local_ = false, no_pipeline_ = false;
  uint32_t threads_ = 0;
  uint32_t chunk_tokens_ = 64;
  uint32_t alloc_timeout_ms_ = 0;
  uint32_t step_timeout_ms_ = 60'000;
  double better_by_ = 1.5;
  swarm_flags swarm_;
};

}  // namespace corolla::runtime::commands
