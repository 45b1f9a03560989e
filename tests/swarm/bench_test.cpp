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

struct wanted_row {
  std::string name, unit;
  bool has_limit = false;
};

/// These rows and no others; how fast the machine is does not matter here.
void check_rows(const std::vector<nlohmann::json>& rows, const std::vector<wanted_row>& wanted) {
  BOOST_TEST_REQUIRE(rows.size() == wanted.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    BOOST_TEST(rows[i].at("row") == wanted[i].name);
    BOOST_TEST(rows[i].at("unit") == wanted[i].unit, rows[i]);
    BOOST_TEST(rows[i].at("limit").is_number() == wanted[i].has_limit, rows[i]);
    BOOST_TEST(rows[i].at("value") >= 0.0, rows[i]);
    BOOST_TEST(rows[i].at("samples") > 0u, rows[i]);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_link_is_measured_and_keeps_no_more_than_its_ceiling_for_a_peer_that_does_not_read) {
  const auto rows = measure({"link"});
  check_rows(
      rows, {{"round trip of 8 KiB, plain blocking OpenSSL", "us"},
             {"round trip of 8 KiB, median", "us", true},
             {"round trip of 8 KiB, p99", "us"},
             {"round trip of 64 KiB, plain blocking OpenSSL", "us"},
             {"round trip of 64 KiB, median", "us", true},
             {"round trip of 64 KiB, p99", "us"},
             {"bulk over plain blocking OpenSSL", "MB/s"},
             {"bulk over a link", "MB/s", true},
             {"round trip of 8 KiB beside bulk, median", "us"},
             {"round trip of 8 KiB beside bulk, p99", "us", true},
             {"queued behind a peer that stopped to read", "MB", true},
             {"memory grown by as many more messages", "MB", true}});
  const auto& queued = rows[rows.size() - 2];
  // A link's own, 256 MiB.
  BOOST_TEST(queued.at("limit") == (256u << 20) / 1e6);
  BOOST_TEST(queued.at("value") <= queued.at("limit"));
  BOOST_TEST(queued.at("value") > queued.at("limit").get<double>() / 2);
  BOOST_TEST(rows.back().at("value") <= rows.back().at("limit"));
}

BOOST_AUTO_TEST_CASE(decoding_over_three_servers_is_measured_against_one_process) {
  check_rows(
      measure({"inference"}), {{"decode, one process", "tokens/s"},
                               {"decode, three server processes", "tokens/s"},
                               {"decode, three server processes / one process", "ratio", true}});
}

BOOST_AUTO_TEST_CASE(chunks_that_flow_are_measured_against_one_at_a_time) {
  // The tiny model that has as many positions as the prompt.
  check_rows(
      measure({"prefill"}, "llama3-rope"), {{"prompt of 512 tokens, one chunk at a time", "s"},
                                            {"prompt of 512 tokens, chunks flowing", "s"},
                                            {"speed-up by chunks that flow", "ratio", true}});
}

BOOST_AUTO_TEST_CASE(eight_sessions_are_measured_against_one_and_share_passes) {
  const auto rows = measure({"batch"});
  check_rows(
      rows, {{"one session, at the block", "tokens/s"},
             {"eight sessions, at the block", "tokens/s"},
             {"eight sessions / one session, at the block", "ratio", true},
             {"rows per pass with eight sessions", "rows"},
             {"one generation, end to end", "tokens/s"},
             {"eight generations at once, end to end", "tokens/s"}});
  BOOST_TEST(value(rows, "rows per pass with eight sessions") > 1.0);
}

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
