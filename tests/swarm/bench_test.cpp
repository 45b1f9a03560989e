// Measurements whose rows must hold whatever the machine: what counts tokens and sessions, not time.
#include <boost/test/unit_test.hpp>

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/swarm.hpp"

namespace corolla::tests {

namespace {

/// The rows of `corolla bench WORDS… --json` with a tiny model.
std::vector<nlohmann::json> measure(std::vector<std::string> words, const std::string& model = "llama") {
  words.insert(words.begin(), "bench");
  for (const auto& word : {std::string{"--json"}, std::string{"--model"}, tiny_model(model).string()})
    words.push_back(word);
  auto child = start_corolla(words);
  const auto end = child.wait(8 * patience);
  BOOST_TEST_REQUIRE(end.is(0), child.errors());
  std::istringstream lines{child.output()};
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

/// Rows that allow none of something; how many there were.
size_t none_of_what_must_not_be(const std::vector<nlohmann::json>& rows) {
  size_t seen = 0;
  for (const auto& row : rows)
    if (row.at("limit") == 0.0) {
      ++seen;
      BOOST_TEST(row.at("value") == 0.0, row);
    }
  return seen;
}

/// The value of the row of that name.
double value(const std::vector<nlohmann::json>& rows, const std::string& name) {
  for (const auto& row : rows)
    if (row.at("row") == name) return row.at("value");
  throw std::runtime_error("no row " + name);
}

}  // namespace

/// Of the grid that `corolla bench recovery --grid` goes through.
BOOST_AUTO_TEST_CASE(each_kind_of_loss_at_a_step_is_mended_and_gives_the_golden_tokens) {
  // Seven kinds without and with deep prompts, two at chunks of a prompt, and that of substitutes.
  constexpr size_t all_kinds = 2 * 7 + 2 + 1;
  const auto rows = measure({"recovery", "--grid", "--steps", "1"}, "llama3-rope");
  BOOST_TEST(none_of_what_must_not_be(rows) == all_kinds);
  size_t kinds = 0, substitutes = 0;
  for (const auto& row : rows) {
    if (row.at("unit") == "generations")
      ++kinds;
    else if (row.at("unit") == "servers")
      ++substitutes;
    else
      continue;
    if (row.at("limit").is_number()) BOOST_TEST(row.at("value") >= row.at("limit"), row);
  }
  BOOST_TEST(kinds == all_kinds);
  BOOST_TEST(substitutes == 1u);
  for (const auto& row : rows)
    if (row.at("unit") == "tokens") {
      const std::string name = row.at("row");
      BOOST_TEST(name.ends_with("against the golden text"), row);
    }
}

BOOST_AUTO_TEST_CASE(two_minutes_of_chaos_cost_no_token_no_generation_and_no_session) {
  const auto rows = measure({"chaos", "--minutes", "2"});
  BOOST_TEST(none_of_what_must_not_be(rows) == 3u);
  BOOST_TEST(value(rows, "finished generations") > 100.0);
  BOOST_TEST(value(rows, "of these mended under way") > 0.0);
  for (const auto* fault : {"kill -9", "SIGTERM", "SIGSTOP", "links cut", "silent one way"})
    BOOST_TEST(value(rows, fault) > 0.0, fault);
}

}  // namespace corolla::tests
