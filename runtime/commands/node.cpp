#include <iostream>

#include "runtime/commands/commands.hpp"
#include "runtime/errors.hpp"
#include "runtime/node.hpp"
#include "runtime/node_config.hpp"

namespace corolla::runtime::commands {

int node(const arguments& args) {
  node_config config;
  switch (config.read(args)) {
    case node_config::request::help:
      std::cout << config.help();
      return exit_done;
    case node_config::request::dump:
      std::cout << config.dump();
      return exit_done;
    case node_config::request::run:
      break;
  }
  start_logging(config.options().log);
  return run_node(config);
}

}  // namespace corolla::runtime::commands
