// `corolla COMMAND …`: finds the command, and turns what it throws into a sentence and an exit status.
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <unistd.h>

#include "runtime/commands/commands.hpp"
#include "runtime/errors.hpp"
#include "runtime/nearest.hpp"
#include "runtime/printable.hpp"
#include "runtime/version.hpp"

namespace {

using namespace corolla::runtime;

/// Idle OpenMP threads spin unless told otherwise, at the cost of every other process here.  libgomp reads the setting
/// as it is loaded, before `main`: so this process starts itself once more, before it has done anything.
void wait_passively(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  // The real path, since the process is named after it in lists of processes.
  std::vector<char> path(4096);
  const auto length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (length <= 0 || ::setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/1) != 0) return;
  ::execv(path.data(), argv);  // returns only where it failed: then this process goes on, merely less polite
}

void print_help(std::ostream& out) {
  out << "corolla runs language models too large for one machine on machines joined as a swarm.\n"
         "Usage: corolla COMMAND [OPTIONS]\n\nCommands:\n";
  for (const auto& command : commands::all())
    out << "  " << std::left << std::setw(12) << command.name << command.summary << '\n';
  out << "\n`corolla COMMAND --help` tells a command's options; `corolla --version` the version.\n"
         "Exit status: 0 done, 1 failed (or interrupted), 2 wrong usage.\n";
}

const commands::command& find(const std::string& name) {
  const auto list = commands::all();
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const commands::command& command) { return command.name == name; });
  if (found != list.end()) return *found;
  std::vector<std::string> names;
  for (const auto& command : list) names.emplace_back(command.name);
  throw usage_error("there is no command " + name + "; the nearest is " + std::string{nearest(name, names)});
}

int run(const std::vector<std::string>& words, char** argv) {
  if (words.empty()) throw usage_error("which command? `corolla help` lists them");
  const auto& first = words.front();
  const auto rest = commands::arguments{words.begin() + 1, words.end()};
  if (first == "--version") {
    std::cout << "corolla " << version << '\n';
    return exit_done;
  }
  if (first == "help" && !rest.empty()) return find(rest.front()).run({"--help"});
  if (first == "help" || first == "--help" || first == "-h") {
    print_help(std::cout);
    return exit_done;
  }
  const auto& command = find(first);
  if (command.computes) wait_passively(argv);
  return command.run(rest);
}

/// The first line: what libraries throw may go on with a list of calls.
void complain(std::string_view what) {
  std::cerr << "corolla: " << printable(std::string{what.substr(0, what.find('\n'))}) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto status = run({argv + std::min(argc, 1), argv + argc}, argv);
    if (!std::cout.flush()) throw std::runtime_error("standard output cannot be written");
    return status;
  } catch (const usage_error& error) {
    complain(error.what());
    return exit_usage;
  } catch (const std::exception& error) {
    complain(error.what());
    return exit_failed;
  }
}
