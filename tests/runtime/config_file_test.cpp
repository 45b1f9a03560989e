#include "runtime/config_file.hpp"

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "runtime/errors.hpp"

using namespace corolla::runtime;

namespace {

struct fixture {
  uint16_t port = 0;
  std::string model;
  std::vector<std::string> peers;
  caf::timespan liveness{};
  caf::config_option_set options;

  fixture() {
    options.add(port, "node", "port", "").add(model, "node", "model", "").add(peers, "node", "peers", "");
    options.add(liveness, "node", "liveness", "").add<uint64_t>("scheduler", "max-threads", "");
    options.add<bool>("help", "");
  }

  config_lines check(const std::string& text) const { return check_config_file(text, "a.ini", options); }

  /// The sentence with which `text` is refused.
  std::string refusal(const std::string& text) const {
    try {
      check(text);
    } catch (const usage_error& error) {
      return error.what();
    }
    return "(taken)";
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(config_file, fixture)

BOOST_AUTO_TEST_CASE(a_good_file_gives_the_line_of_each_key) {
  const auto lines = check(
      "; a comment\n[node]\nport=7 ; another\n\npeers=[\n \"a\",\n \"b\"]\nliveness=1min\n[scheduler]\nmax-threads=2");
  const config_lines expected{{"node.port", 3}, {"node.peers", 5}, {"node.liveness", 8}, {"scheduler.max-threads", 10}};
  BOOST_TEST((lines == expected));
  BOOST_TEST(check("").empty());
}

BOOST_AUTO_TEST_CASE(an_unknown_key_is_refused_with_its_line_and_the_nearest) {
  BOOST_TEST(
      refusal("[node]\nport=1\nmodle=\"x\"\n") == "a.ini:3: there is no option node.modle; the nearest is node.model");
  BOOST_TEST(
      refusal("[scheduler]\nmax-thread=1\n") ==
      "a.ini:2: there is no option scheduler.max-thread; the nearest is scheduler.max-threads");
}

BOOST_AUTO_TEST_CASE(an_unknown_section_is_refused_even_if_empty) {
  BOOST_TEST(refusal("\n[nodes]\nport=1\n") == "a.ini:2: there is no section [nodes]; the nearest is [node]");
  BOOST_TEST(refusal("[shceduler]") == "a.ini:1: there is no section [shceduler]; the nearest is [scheduler]");
}

BOOST_AUTO_TEST_CASE(a_key_outside_every_section_is_refused) {
  BOOST_TEST(refusal("port=1\n") == "a.ini:1: an option stands in a section such as [node]");
  BOOST_TEST(refusal("[global]\nhelp=true\n") == "a.ini:2: an option stands in a section such as [node]");
}

BOOST_AUTO_TEST_CASE(a_key_that_is_given_twice_is_refused_also_across_sections_opened_again) {
  BOOST_TEST(refusal("[node]\nport=1\nport=2\n") == "a.ini:3: node.port is given twice, first in line 2");
  BOOST_TEST(refusal("[node]\nport=1\n[node]\nport=2\n") == "a.ini:4: node.port is given twice, first in line 2");
}

BOOST_AUTO_TEST_CASE(a_value_of_another_type_is_refused) {
  BOOST_TEST(refusal("[node]\nport=\"a\"\n") == "a.ini:2: node.port wants a whole number from 0 to 65535, not \"a\"");
  BOOST_TEST(refusal("[node]\nport=70000\n") == "a.ini:2: node.port wants a whole number from 0 to 65535, not 70000");
  BOOST_TEST(refusal("[node]\nport=-1\n") == "a.ini:2: node.port wants a whole number from 0 to 65535, not -1");
  BOOST_TEST(refusal("[node]\nmodel=7\n") == "a.ini:2: node.model wants text in double quotes, not 7");
  BOOST_TEST(refusal("[node]\npeers=\"a\"\n") == "a.ini:2: node.peers wants a list such as [\"a\", \"b\"], not \"a\"");
  BOOST_TEST(
      refusal("[node]\nliveness=5\n") == "a.ini:2: node.liveness wants a duration such as 5s, 500ms or 1min, not 5");
  BOOST_TEST(
      refusal("[scheduler]\nmax-threads=-1\n") ==
      "a.ini:2: scheduler.max-threads wants a whole number of 0 or more, not -1");
}

BOOST_AUTO_TEST_CASE(a_key_below_an_option_is_refused) {
  BOOST_TEST(refusal("[node]\nport={a=1}\n").starts_with("a.ini:2: node.port wants a whole number"));
  BOOST_TEST(refusal("[node.port]\na=1\n").starts_with("a.ini:"));
}

BOOST_AUTO_TEST_CASE(what_the_grammar_does_not_hold_is_refused_with_advice) {
  BOOST_TEST(refusal("[node]\nmodel=abc\n") == "a.ini:2: this is not understood; text stands in double quotes");
  BOOST_TEST(refusal("# hello\n[node]\n") == "a.ini:1: this is not understood; a comment begins with ;");
  const auto duration =
      "this is not understood; a duration is a whole number with ns, us, ms, s, min or h, such as 1min";
  BOOST_TEST(refusal("[node]\nliveness=1m\n") == std::string{"a.ini:2: "} + duration);
  BOOST_TEST(refusal("[node]\nliveness=1m") == std::string{"a.ini:2: "} + duration);
  BOOST_TEST(refusal("[node]\nliveness=1d\n") == std::string{"a.ini:2: "} + duration);
  BOOST_TEST(refusal("[node]\nliveness=1.5s\n") == std::string{"a.ini:2: "} + duration);
  BOOST_TEST(refusal("[node\nport=1\n") == "a.ini:1: this is not understood; a section is written [node]");
  BOOST_TEST(refusal("[node]\nport 1\n") == "a.ini:2: this is not understood; an option is written key=value");
}

BOOST_AUTO_TEST_CASE(a_value_that_ends_with_the_file_is_refused_where_CAF_would_take_half_of_it) {
  BOOST_TEST(refusal("[node]\nport=1\nmodel=\"abc").starts_with("a.ini:3: this is not understood"));
  BOOST_TEST(refusal("[node]\nport=1\npeers=[\"abc\",").starts_with("a.ini:3: this is not understood"));
}

BOOST_AUTO_TEST_SUITE_END()
