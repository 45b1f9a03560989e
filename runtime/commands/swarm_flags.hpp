// The options of every command that joins a swarm.
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
  /// Addresses as they were given, each checked; may be empty.  Throws usage_error.
  const std::vector<std::string>& peers() const;
  bool has_peers() const { return !peers_.empty(); }

 private:
  std::vector<std::string> peers_;
  std::string swarm_ = "local", swarm_id_, identity_, certificate_;
};

/// `ids` as they are.  Throws usage_error for what is no peer id.
std::vector<std::string> checked_ids(const std::string& option, const std::vector<std::string>& ids);

}  // namespace corolla::runtime::commands
