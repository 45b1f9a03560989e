// How every command but `node` (whose options are CAF's) reads its arguments.
#pragma once

#include <CLI/CLI.hpp>

#include "runtime/commands/commands.hpp"

namespace corolla::runtime::commands {

/// Lets `app` read the arguments.  False: help was asked for and printed.  Throws usage_error with the nearest option
/// or subcommand for one that there is not.
[[nodiscard]] bool parse(CLI::App& app, const arguments& args);

/// Joins "--prompt" "TEXT" to "--prompt=TEXT" for the options named, so that TEXT may begin with a dash.
arguments join_text(const arguments& args, const std::vector<std::string>& options);

}  // namespace corolla::runtime::commands
