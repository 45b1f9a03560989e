// A CAF config file, checked as CAF does not: it takes unknown keys, wrong types and half a value without a word.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <caf/config_option_set.hpp>
#include <caf/config_value.hpp>
#include <caf/string_view.hpp>

namespace corolla::runtime {

/// The line of each key, by its full name ("node.port").
using config_lines = std::map<std::string, int>;

/// Reads `text`, the content of the file called `name`, by CAF's grammar.  Throws usage_error, "NAME:LINE: what is
/// wrong and what would be right", for what the grammar does not hold, for a key or section that no option has, for one
/// that is given twice and for a value of another type than its option's.
config_lines check_config_file(const std::string& text, const std::string& name, const caf::config_option_set& options);

inline std::string to_text(caf::string_view text) {
  return {text.begin(), text.end()};
}

/// "a whole number from 0 to 65535", ...
std::string wanted_by(const caf::config_option& option);

/// How `value` is written in a config file.
std::string to_config_text(const caf::config_value& value);

}  // namespace corolla::runtime
