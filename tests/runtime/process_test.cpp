#include "tests/support/process.hpp"

#include <csignal>
#include <stdexcept>
#include <string>

#include <boost/test/unit_test.hpp>

using corolla::tests::process;
using corolla::tests::run;
using namespace std::chrono_literals;

namespace {

process shell(const std::string& script) {
  return process{{"sh", "-c", script}};
}

bool exists(pid_t pid) {
  return ::kill(pid, 0) == 0;
}

}  // namespace

BOOST_AUTO_TEST_CASE(lines_are_read_as_they_come) {
  auto child = shell("echo one; echo two; read x; echo three");
  BOOST_TEST(child.read_line(10s).value() == "one");
  BOOST_TEST(child.wait_for_line("t", 10s) == "two");
  BOOST_TEST(child.read_line(10s).value() == "three");
  BOOST_TEST(!child.read_line(10s));
  BOOST_TEST(child.wait(10s).is(0));
}

BOOST_AUTO_TEST_CASE(a_line_that_does_not_come_is_an_error_that_shows_standard_error) {
  auto child = shell("echo oops >&2; exec tail -f /dev/null");
  BOOST_CHECK_EXCEPTION(child.read_line(200ms), std::runtime_error, [](const std::runtime_error& error) {
    return std::string{error.what()}.find("oops") != std::string::npos;
  });
  BOOST_TEST(child.running());
}

BOOST_AUTO_TEST_CASE(a_child_that_ends_without_the_line_waited_for_is_an_error) {
  auto child = shell("echo other");
  BOOST_CHECK_THROW(child.wait_for_line("ready", 10s), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(status_signals_and_both_streams_are_told) {
  const auto result =
      run({"sh", "-c", "cat; echo bad >&2; exit 3"}, {.environment = {}, .input = "given", .folder = {}});
  BOOST_TEST(result.end.is(3));
  BOOST_TEST(result.out == "given");
  BOOST_TEST(result.err == "bad\n");
  auto child = shell("kill -TERM $$");
  const auto end = child.wait(10s);
  BOOST_TEST(!end.exited);
  BOOST_TEST(end.code == SIGTERM);
}

BOOST_AUTO_TEST_CASE(more_than_a_pipe_holds_goes_both_ways) {
  const std::string input(1 << 20, 'x');
  const auto result = run({"cat"}, {.environment = {}, .input = input, .folder = {}});
  BOOST_TEST((result.out == input));
  BOOST_TEST(run({"true"}, {.environment = {}, .input = input, .folder = {}}).end.is(0));
}

BOOST_AUTO_TEST_CASE(environment_and_folder_are_the_childs_own) {
  const auto result = run({"sh", "-c", "echo $COROLLA_TEST_VALUE; pwd"}, {{"COROLLA_TEST_VALUE=7"}, {}, "/"});
  BOOST_TEST(result.out == "7\n/\n");
}

BOOST_AUTO_TEST_CASE(a_child_is_ended_and_reaped_with_its_object) {
  pid_t pid = 0;
  {
    auto child = shell("trap '' TERM; echo up; exec tail -f /dev/null");
    child.read_line(10s);
    pid = child.pid();
    child.signal(SIGTERM);
    BOOST_TEST(exists(pid));
  }
  BOOST_TEST(!exists(pid));
}

BOOST_AUTO_TEST_CASE(a_command_that_does_not_exist_ends_with_127) {
  BOOST_TEST(run({"corolla-no-such-command"}).end.is(127));
}
