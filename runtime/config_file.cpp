#include "runtime/config_file.hpp"

#include <algorithm>
#include <cctype>
#include <sstream>
#include <vector>

#include <caf/actor_system_config.hpp>
#include <caf/deep_to_string.hpp>
#include <caf/detail/parser/read_ini.hpp>
#include <caf/parser_state.hpp>
#include <caf/settings.hpp>

#include "runtime/errors.hpp"
#include "runtime/nearest.hpp"

namespace corolla::runtime {

namespace {

struct key_at {
  std::string path;
  int line;
};

/// CAF's parser counts a line's end to the line that follows.
int line_of(const caf::string_parser_state& state) {
  return state.current() == '\n' ? state.line - 1 : state.line;
}

/// Notes where keys stand while CAF's parser reads; values are left to CAF.
class key_reader {
 public:
  key_reader(const caf::string_parser_state& state, std::vector<key_at>& out) : state_{&state}, out_{&out} {}

  void key(const std::string& name) {
    path_ = prefix_ + name;
    out_->push_back({path_, line_of(*state_)});
  }
  key_reader begin_map() const { return inside(path_ + "."); }
  key_reader begin_list() const { return inside(path_ + "[]."); }
  void end_map() const {}
  void end_list() const {}
  template <class T>
  void value(const T&) const {}

 private:
  key_reader inside(std::string prefix) const {
    auto result = key_reader{*state_, *out_};
    result.prefix_ = std::move(prefix);
    return result;
  }

  const caf::string_parser_state* state_;
  std::vector<key_at>* out_;
  std::string prefix_;
  std::string path_;
};

std::string line_text(const std::string& text, int line) {
  std::istringstream in{text};
  std::string result;
  for (int i = 0; i < line && std::getline(in, result); ++i) {
  }
  return result;
}

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}
bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}

/// What was probably meant by a line that the grammar does not hold.
std::string advice(const std::string& line) {
  const auto skip = [&](size_t i) { return std::min(line.find_first_not_of(" \t", i), line.size()); };
  const auto first = skip(0);
  if (line.compare(first, 1, "#") == 0 || line.compare(first, 2, "//") == 0) return "a comment begins with ;";
  const auto equals = line.find('=');
  if (equals == std::string::npos)
    return line.compare(first, 1, "[") == 0 ? "a section is written [node]" : "an option is written key=value";
  const auto value = skip(equals + 1);
  if (value < line.size() && is_digit(line[value])) {
    const auto unit = std::find_if_not(
        line.begin() + static_cast<ptrdiff_t>(value), line.end(), [](char c) { return is_digit(c) || c == '.'; });
    if (unit != line.end() && is_letter(*unit))
      return "a duration is a whole number with ns, us, ms, s, min or h, such as 1min";
  }
  if (value < line.size() && (is_letter(line[value]) || line[value] == '/' || line[value] == '~'))
    return "text stands in double quotes";
  return "text stands in double quotes, a list in square brackets, a comment behind ;";
}

[[noreturn]] void refuse(const std::string& name, int line, const std::string& what) {
  throw usage_error(name + ":" + std::to_string(line) + ": " + what);
}

std::vector<key_at> read_keys(const std::string& text, const std::string& name) {
  // CAF's count of lines misses a line's end that is the first character of all.
  const auto shifted = " " + text;
  caf::string_parser_state state{shifted.data(), shifted.data() + shifted.size()};
  std::vector<key_at> keys;
  key_reader reader{state, keys};
  caf::detail::parser::read_ini(state, reader);
  if (state.code != caf::pec::success)
    refuse(name, line_of(state), "this is not understood; " + advice(line_text(text, line_of(state))));
  return keys;
}

std::string section_of(const std::string& path) {
  return path.substr(0, path.find('.'));
}

[[noreturn]] void refuse_unknown(const std::string& name, const key_at& key, const caf::config_option_set& options) {
  const auto section = section_of(key.path);
  std::vector<std::string> sections, keys;
  for (const auto& option : options) {
    const auto category = to_text(option.category());
    if (category == "global") continue;
    sections.push_back(category);
    if (category == section) keys.push_back(to_text(option.full_name()));
  }
  if (section == "global") refuse(name, key.line, "an option stands in a section such as [node]");
  if (keys.empty())
    refuse(
        name, key.line,
        "there is no section [" + section + "]; the nearest is [" + std::string{nearest(section, sections)} + "]");
  refuse(name, key.line, "there is no option " + key.path + "; the nearest is " + std::string{nearest(key.path, keys)});
}

}  // namespace

std::string wanted_by(const caf::config_option& option) {
  const auto type = to_text(option.type_name());
  if (type == "uint16") return "a whole number from 0 to 65535";
  if (type == "uint32") return "a whole number from 0 to 4294967295";
  if (type == "uint64") return "a whole number of 0 or more";
  if (type == "string") return "text in double quotes";
  if (type == "list of string") return "a list such as [\"a\", \"b\"]";
  if (type == "timespan") return "a duration such as 5s, 500ms or 1min";
  if (type == "boolean" || type == "true or false") return "true or false";
  if (type == "atom") return "a word in single quotes";
  return "a value of type " + type;
}

std::string to_config_text(const caf::config_value& value) {
  if (auto span = caf::get_if<caf::timespan>(&value); span && span->count() == 0)
    return "0s";  // CAF writes "0d", which it does not read
  return caf::deep_to_string(value);
}

config_lines check_config_file(
    const std::string& text, const std::string& name, const caf::config_option_set& options) {
  const auto keys = read_keys(text, name);
  caf::settings values;
  std::istringstream in{text};
  if (auto error = caf::actor_system_config::parse_config(in, caf::config_option_set{}, values))
    throw usage_error(name + ": CAF does not read it");
  config_lines lines;
  for (const auto& key : keys) {
    const auto depth = std::count(key.path.begin(), key.path.end(), '.');
    if (depth == 0) {
      // A section may be opened again; one without keys must exist all the same.
      const auto known = std::any_of(options.begin(), options.end(), [&](const caf::config_option& option) {
        return option.category() == key.path;
      });
      if (!known) refuse_unknown(name, key, options);
      continue;
    }
    const auto* option = options.qualified_name_lookup(key.path);
    if (option == nullptr || option->category() == "global") refuse_unknown(name, key, options);
    if (const auto [it, fresh] = lines.emplace(key.path, key.line); !fresh)
      refuse(name, key.line, key.path + " is given twice, first in line " + std::to_string(it->second));
    const auto* value = caf::get_if(&values, key.path);
    if (value == nullptr || option->check(*value))
      refuse(
          name, key.line,
          key.path + " wants " + wanted_by(*option) +
              (value == nullptr ? std::string{} : ", not " + to_config_text(*value)));
  }
  return lines;
}

}  // namespace corolla::runtime
