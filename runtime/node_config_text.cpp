#include "runtime/node_config.hpp"

#include <algorithm>

namespace corolla::runtime {

std::string node_config::help() const {
  std::string text =
      "Serves blocks of a model until SIGTERM or SIGINT.\n"
      "Usage: corolla node [--config-file=FILE] [--node.OPTION=VALUE ...] [--dump-config]\n\n"
      "Options, as they stand in a config file under [node]:\n";
  for (const auto& option : custom_options_) {
    if (option.category() != "node") continue;
    auto name = "  --" + to_text(option.full_name()) + "=";
    name.resize(std::max<size_t>(name.size() + 1, 28), ' ');
    text += name + to_text(option.description());
    if (const auto value = option.get()) text += " (" + to_config_text(*value) + ")";
    text += '\n';
  }
  text +=
      "\nOther options:\n"
      "  --config-file=FILE        options in a file; those of the command line win\n"
      "  --dump-config             prints the configuration in force as a config file, and ends\n"
      "CAF's own options, such as --scheduler.max-threads=N, are taken too.\n";
  return text;
}

std::string node_config::dump() const {
  std::string text = "[node]\n";
  for (const auto& option : custom_options_)
    if (option.category() == "node")
      if (const auto value = option.get()) text += to_text(option.long_name()) + "=" + to_config_text(*value) + '\n';
  for (const auto& [section, values] : caf::content(*this)) {
    const auto* keys = caf::get_if<caf::config_value::dictionary>(&values);
    if (section == "node" || keys == nullptr) continue;
    text += "\n[" + section + "]\n";
    for (const auto& [key, value] : *keys) text += key + "=" + to_config_text(value) + '\n';
  }
  return text;
}

}  // namespace corolla::runtime
