// The commands of `corolla`, one file each beside this one.  Each takes the arguments behind its name and gives the
// exit status; what it throws becomes a sentence on standard error (main.cpp).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace corolla::runtime::commands {

using arguments = std::vector<std::string>;

int node(const arguments& args);
int generate(const arguments& args);
int eval(const arguments& args);
int swarm(const arguments& args);
int drain(const arguments& args);
int inspect(const arguments& args);
int tokenize(const arguments& args);
int keys(const arguments& args);
int make_model(const arguments& args);
int bench(const arguments& args);
int route(const arguments& args);
int fault_proxy(const arguments& args);

struct command {
  std::string_view name;
  std::string_view summary;
  int (*run)(const arguments&);
  /// It runs models, on libtorch's threads.
  bool computes = false;
};

/// In the order in which `corolla help` lists them.
std::span<const command> all();

}  // namespace corolla::runtime::commands
