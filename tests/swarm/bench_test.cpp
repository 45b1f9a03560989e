// Measurements whose rows must hold whatever the machine: what counts tokens and sessions, not time.
#include <boost/test/unit_test.hpp>

#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/swarm.hpp"

namespace corolla::tests {

namespace {

/// The rows of `corolla bench WORDS… --json` with a tiny model.
std::vector<nlohmann::json> measure(std::vector<std::string> words) {
  words.insert(words.begin(), "bench");
  for (const auto& word : {std::string{"--json"}, std::string{"--model"}, tiny_model("llama").string()})
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

}  // namespace

BOOST_AUTO_TEST_CASE(every_kind_of_loss_in_the_grid_costs_no_token) {
  const auto rows = measure({"recovery", "--grid"});
  BOOST_TEST(none_of_what_must_not_be(rows) == 2u);
  for (const auto& row : rows)
    if (row.at("unit") == "generations") BOOST_TEST(row.at("value") == row.at("limit"), row);
}

BOOST_AUTO_TEST_CASE(two_minutes_of_chaos_cost_no_token_no_generation_and_no_session) {
  const auto rows = measure({"chaos", "--minutes", "2"});
  BOOST_TEST(none_of_what_must_not_be(rows) == 3u);
  for (const auto& row : rows)
    if (row.at("row") == "finished generations") BOOST_TEST(row.at("value") > 100.0, row);
}

}  // namespace corolla::tests
