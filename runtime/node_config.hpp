// A node's configuration: a CAF config file and command-line options, of which the latter win; config/node.ini explains
// each option.  What is unknown, of the wrong type or contradictory is refused with its place and what would be right.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <caf/actor_system_config.hpp>

#include "runtime/config_file.hpp"
#include "runtime/node_options.hpp"

namespace corolla::runtime {

class node_config : public caf::actor_system_config {
 public:
  node_config();

  /// What the arguments ask for.
  enum class request { run, help, dump };

  /// Reads the arguments (without program and command) and the file that --config-file names.  Throws usage_error.
  request read(const std::vector<std::string>& arguments);

  /// Complete and checked after `read` gave request::run.
  const node_options& options() const { return options_; }

  /// Every option of [node] with unit and default, and where CAF's own are told.
  std::string help() const;
  /// The configuration in force, as a config file that gives the same one.
  std::string dump() const;

 private:
  /// As CAF's options hold them; `options_` is made from them.
  struct raw_options {
    std::string model, blocks, host, identity, swarm, swarm_id, certificate, dtype, device;
    std::string log_level, log_format, log_file, name;
    std::vector<std::string> announce, peers;
    caf::timespan liveness{}, drain_timeout{}, max_alloc_timeout{};
  };

  void add_options();
  /// Checks the arguments as CAF does not, and notes what they set.
  void take_arguments(const std::vector<std::string>& arguments);
  std::string read_file();
  void refuse_remoting() const;
  void complete();
  void complete_model();
  void complete_scheduler();
  void refuse_what_serving_needs() const;
  void complete_network();
  void complete_swarm();
  void refuse_what_nobody_can_dial() const;
  void complete_limits();
  void complete_log();

  /// Throws usage_error with the place where `key` ("node.host") was given.
  [[noreturn]] void refuse(const std::string& key, const std::string& what) const;

  raw_options raw_;
  node_options options_;
  std::string file_;
  config_lines lines_;
  std::map<std::string, std::string> defaults_;  // of what only a serving node needs
  std::vector<std::string> from_command_line_;
};

}  // namespace corolla::runtime
