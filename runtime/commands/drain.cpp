#include <iostream>

#include "runtime/commands/parse.hpp"
#include "runtime/commands/swarm_flags.hpp"
#include "runtime/errors.hpp"
#include "runtime/swarm_records.hpp"

namespace corolla::runtime::commands {

int drain(const arguments& args) {
  CLI::App app{"Asks a server to leave: it takes no new sessions, moves those that run to others, and ends.", "drain"};
  swarm_flags flags;
  std::string server;
  flags.add_to(app);
  app.add_option("PEER", server, "id of the server, or enough of its beginning")->required();
  if (!parse(app, args)) return exit_done;
  const auto options = flags.options();
  if (!flags.has_peers()) throw usage_error("give --peers with a node of the swarm, corolla://ID@HOST:PORT");
  const auto leaving = drain_server(options, flags.peers(), server);
  std::cout << "server " << leaving.peer << " leaves; sessions to move: " << leaving.sessions << '\n';
  return exit_done;
}

}  // namespace corolla::runtime::commands
