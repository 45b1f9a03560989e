// The options by which a command joins a swarm from outside.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "runtime/swarm_options.hpp"

namespace corolla::runtime::commands {

class swarm_flags {
 public:
  /// Adds the options to `app`, which must not outlive this object.
  void add_to(CLI::App& app);
  /// After parsing.  Throws usage_error for what contradicts itself.
  swarm_options options() const;
  bool names_peers() const { return !peers_.empty(); }
  /// Each an address.  Throws usage_error for one that is none; an empty list is the caller's business.
  const std::vector<std::string>& peers() const;

 private:
  std::vector<std::string> peers_;
  std::string swarm_ = "local", swarm_id_, identity_, certificate_;
};

}  // namespace corolla::runtime::commands
