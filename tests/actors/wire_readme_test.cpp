// The grammar in actors/wire/README.md says what the code does: its tables are read and compared.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "actors/errc.hpp"
#include "actors/wire/frame.hpp"

namespace corolla::tests {
namespace {

using namespace actors::wire;
using actors::errc;

using cells = std::vector<std::string>;

std::string text_of(const std::string& path) {
  std::ifstream in{std::string{COROLLA_SOURCE_DIR} + "/" + path};
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  BOOST_TEST_REQUIRE(!text.empty(), path);
  return text;
}

const std::string& grammar() {
  static const auto text = text_of("actors/wire/README.md");
  return text;
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

/// The rows of the table with this head.
std::vector<cells> table(const std::string& head) {
  const auto found = grammar().find("\n" + head + "\n");
  BOOST_TEST_REQUIRE(found != std::string::npos, head);
  std::istringstream lines{grammar().substr(found + 1 + head.size() + 1)};
  std::vector<cells> rows;
  std::string line;
  std::getline(lines, line);  // the rule below the head
  while (std::getline(lines, line) && line.starts_with("|")) {
    auto& row = rows.emplace_back();
    std::istringstream parts{line.substr(1)};
    for (std::string cell; std::getline(parts, cell, '|');) row.push_back(trimmed(cell));
  }
  return rows;
}

/// All that `pattern` finds in a text, its first group.
std::set<std::string> found_in(const std::string& text, const std::string& pattern) {
  const std::regex regex{pattern};
  std::set<std::string> result;
  for (std::sregex_iterator match{text.begin(), text.end(), regex}, end; match != end; ++match)
    result.insert(match->str(1));
  return result;
}

/// Of what the code calls the types.
std::map<int, std::string> names_of_types() {
  const auto code = text_of("actors/wire/frame.hpp");
  const std::regex line{R"(\n  (\w+) = (\d+),)"};
  std::map<int, std::string> names;
  const auto end = code.find("enum class priority");
  for (std::sregex_iterator match{code.begin(), code.begin() + static_cast<std::ptrdiff_t>(end), line}, none;
       match != none; ++match)
    names[std::stoi(match->str(2))] = match->str(1);
  return names;
}

struct bounds {
  uint32_t least = 0, most = 0;
};
/// "8", "1 … 4096" or "≤ 4096".
bounds lengths(const std::string& cell) {
  const auto numbers = [&] {
    std::vector<uint32_t> result;
    const std::regex number{R"(\d+)"};
    for (std::sregex_iterator match{cell.begin(), cell.end(), number}, end; match != end; ++match)
      result.push_back(static_cast<uint32_t>(std::stoul(match->str())));
    return result;
  }();
  BOOST_TEST_REQUIRE(!numbers.empty(), cell);
  if (cell.find("≤") != std::string::npos) return {0, numbers.front()};
  return {numbers.front(), numbers.back()};
}

bool is_allowed(frame_type type, priority cls, uint64_t stream, uint32_t length) {
  return fault_of({type, cls, length, stream}).empty();
}

void check_row(frame_type type, const cells& row) {
  BOOST_TEST_CONTEXT("row " << row[0] << ", " << row[1]) {
    const auto& classes = row[2];
    const auto& stream = row[3];
    const auto [least, most] = lengths(row[4]);
    const auto is_class = [&](const char* name) { return classes == "any" || classes.find(name) != std::string::npos; };
    const bool in_class[] = {is_class("control"), is_class("step"), is_class("bulk")};
    const bool on_none = stream == "0" || stream == "any", on_one = stream != "0";
    BOOST_TEST((stream == "0" || stream == "any" || stream.starts_with("one")), stream);
    for (uint8_t cls = 0; cls < num_priorities; ++cls) {
      const auto as = static_cast<priority>(cls);
      BOOST_TEST(is_allowed(type, as, 0, least) == (in_class[cls] && on_none));
      for (const auto length : {least, most}) BOOST_TEST(is_allowed(type, as, 1, length) == (in_class[cls] && on_one));
      for (const uint64_t id : {0, 1}) {
        BOOST_TEST(!is_allowed(type, as, id, most + 1));
        if (least > 0) BOOST_TEST(!is_allowed(type, as, id, least - 1));
      }
    }
    BOOST_TEST(begins_stream(type) == (stream.find("may begin it") != std::string::npos));
    BOOST_TEST(announces_data(type) == row[5].starts_with("begins "));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(wire_readme)

BOOST_AUTO_TEST_CASE(the_table_of_frames_is_what_headers_are_checked_by) {
  const auto names = names_of_types();
  std::map<int, cells> rows;
  for (const auto& row : table("| type | name | class | stream | length | what |")) {
    BOOST_TEST_REQUIRE(row.size() == 6u);
    if (row[0] == "128 …") continue;
    BOOST_TEST(rows.emplace(std::stoi(row[0]), row).second, "type " << row[0] << " is there twice");
  }
  for (int number = 0; number < 256; ++number) {
    const auto type = static_cast<frame_type>(number);
    const auto row = rows.find(number);
    BOOST_TEST(is_known(type) == (row != rows.end()), "type " << number);
    if (row == rows.end()) continue;
    BOOST_TEST_REQUIRE(names.contains(number), "type " << number);
    BOOST_TEST(row->second[1] == names.at(number));
    check_row(type, row->second);
  }
  BOOST_TEST(rows.size() == names.size());
}

BOOST_AUTO_TEST_CASE(messages_have_the_numbers_fields_and_data_that_are_told) {
  const auto names = names_of_types();
  const auto last = names.rbegin()->first;
  BOOST_TEST(grammar().find("A message is a frame of types 16 to " + std::to_string(last) + ". ") != std::string::npos);
  std::set<std::string> messages, with_data, described;
  for (const auto& [number, name] : names) {
    const auto type = static_cast<frame_type>(number);
    BOOST_TEST(is_message(type) == (number >= 16));
    if (is_message(type)) messages.insert(name);
    if (announces_data(type)) with_data.insert(name);
  }
  const auto begin = grammar().find("A message is a frame"), end = grammar().find(" alone carry tensor data");
  BOOST_TEST_REQUIRE((begin < end && end != std::string::npos));
  BOOST_TEST((found_in(grammar().substr(begin, end - begin), "`(\\w+)`") == with_data));
  for (const auto& row : table("| message | fields |")) described.merge(found_in(row[0], "(\\w+)"));
  messages.erase("bench_echo");  // has no fields
  BOOST_TEST(described == messages, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_table_of_codes_has_every_error) {
  auto code = static_cast<int>(actors::first_errc);
  for (const auto& row : table("| code | name | what |")) {
    BOOST_TEST(row[0] == std::to_string(code));
    BOOST_TEST_REQUIRE(code <= static_cast<int>(actors::last_errc));
    BOOST_TEST(row[1] == to_string(static_cast<errc>(code++)));
    BOOST_TEST(!row[2].empty());
  }
  BOOST_TEST(code == static_cast<int>(actors::last_errc) + 1);
}

BOOST_AUTO_TEST_CASE(the_keys_that_do_not_count_for_a_digest_are_all_told) {
  const auto code = text_of("model/digest.cpp");
  const auto list = code.find("volatile_keys[] = {"), end_of_list = code.find("};", list);
  const auto in_code = found_in(code.substr(list, end_of_list - list), "\"(\\w+)\"");
  const auto begin = grammar().find("less these keys"), end = grammar().find("What a GGUF", begin);
  BOOST_TEST_REQUIRE((begin != std::string::npos && end != std::string::npos));
  BOOST_TEST(found_in(grammar().substr(begin, end - begin), "`(\\w+)`") == in_code, boost::test_tools::per_element());
  BOOST_TEST(in_code.size() > 30u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
