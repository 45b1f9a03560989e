#include "runtime/commands/parse.hpp"

#include <algorithm>
#include <iostream>

#include "runtime/errors.hpp"
#include "runtime/nearest.hpp"

namespace corolla::runtime::commands {

namespace {

/// The subcommand that was reached, or `app` itself.
const CLI::App& innermost(const CLI::App& app) {
  const auto reached = app.get_subcommands();
  return reached.empty() ? app : innermost(*reached.front());
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

[[noreturn]] void refuse_extra(const CLI::App& app) {
  const auto& reached = innermost(app);
  const auto extra = app.remaining(/*recurse=*/true).front();
  std::vector<std::string> known;
  if (extra.starts_with("-")) {
    for (const auto* option : reached.get_options())
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
    const auto name = extra.substr(0, extra.find('='));
    throw usage_error(
        reached.get_name() + " has no option " + name + "; the nearest is " + std::string{nearest(name, known)});
  }
  for (const auto* subcommand : reached.get_subcommands({})) known.push_back(subcommand->get_name());
  if (!known.empty())
    throw usage_error(
        reached.get_name() + " has no command " + extra + "; the nearest is " + std::string{nearest(extra, known)});
  throw usage_error(reached.get_name() + " does not know what to do with \"" + extra + "\"; see its --help");
}

}  // namespace

bool parse(CLI::App& app, const arguments& args) {
  app.get_formatter()->column_width(34);
  try {
    app.parse(arguments{args.rbegin(), args.rend()});
    return true;
  } catch (const CLI::CallForHelp&) {
    std::cout << innermost(app).help();
    return false;
  } catch (const CLI::ExtrasError&) {
    refuse_extra(app);
  } catch (const CLI::ParseError& error) {
    // An option that is missing may be there under a wrong name: then that is what to tell.
    if (!app.remaining(/*recurse=*/true).empty()) refuse_extra(app);
    throw usage_error(innermost(app).get_name() + ": " + one_line(error.what()));
  }
}

arguments join_text(const arguments& args, const std::vector<std::string>& options) {
  arguments joined;
  for (size_t i = 0; i < args.size(); ++i)
    if (std::find(options.begin(), options.end(), args[i]) != options.end() && i + 1 < args.size()) {
      joined.push_back(args[i] + "=" + args[i + 1]);
      ++i;
    } else {
      joined.push_back(args[i]);
    }
  return joined;
}

}  // namespace corolla::runtime::commands
