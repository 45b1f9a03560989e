#include "runtime/logging.hpp"

#include <fstream>
#include <sstream>

#include <spdlog/spdlog.h>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "runtime/errors.hpp"
#include "tests/support/temp_dir.hpp"

using namespace corolla::runtime;
using corolla::tests::temp_dir;

namespace {

std::string content(const std::filesystem::path& file) {
  std::ifstream in{file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

}  // namespace

BOOST_AUTO_TEST_CASE(json_lines_are_objects_whatever_a_message_holds) {
  const temp_dir dir;
  start_logging({"info", "json", dir / "log", "first"});
  spdlog::info("a \"quoted\" line\nand {} bytes \xff", 3);
  std::istringstream lines{content(dir / "log")};
  std::string line;
  BOOST_TEST_REQUIRE(static_cast<bool>(std::getline(lines, line)));
  const auto object = nlohmann::json::parse(line);
  BOOST_TEST(object.at("level") == "info");
  BOOST_TEST(object.at("name") == "first");
  BOOST_TEST(object.at("message") == "a \"quoted\" line\nand 3 bytes \xef\xbf\xbd");
  const auto time = object.at("time").get<std::string>();
  BOOST_TEST(time.size() == std::string{"2024-01-31T12:00:00.000Z"}.size());
  BOOST_TEST(!std::getline(lines, line));
}

BOOST_AUTO_TEST_CASE(what_is_below_the_level_is_not_written) {
  const temp_dir dir;
  start_logging({"warning", "text", dir / "log", ""});
  spdlog::info("quiet");
  spdlog::warn("loud");
  const auto text = content(dir / "log");
  BOOST_TEST(text.find("quiet") == text.npos);
  BOOST_TEST(text.find("warning loud\n") != text.npos);
}

BOOST_AUTO_TEST_CASE(a_log_is_appended_to_its_file) {
  const temp_dir dir;
  for (const auto* message : {"one", "two"}) {
    start_logging({"info", "text", dir / "log", ""});
    spdlog::info(message);
  }
  const auto text = content(dir / "log");
  BOOST_TEST(text.find("one") < text.find("two"));
}

BOOST_AUTO_TEST_CASE(an_unknown_level_or_format_and_a_file_that_cannot_be_written_are_refused) {
  BOOST_CHECK_EXCEPTION(start_logging({"inof", "text", {}, {}}), usage_error, [](const usage_error& error) {
    return std::string{error.what()} == "there is no log level \"inof\"; the nearest is \"info\"";
  });
  BOOST_CHECK_THROW(start_logging({"info", "xml", {}, {}}), usage_error);
  const temp_dir a_folder_is_no_file;
  BOOST_CHECK_THROW(start_logging({"info", "text", a_folder_is_no_file.path(), {}}), std::runtime_error);
}
