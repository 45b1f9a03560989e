// scripts/quickstart.sh where something fails: servers and model are played, what the script does about them is not.
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/patience.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

namespace {

namespace fs = std::filesystem;

/// A checkout with nothing in it but the script and what it calls; `on_node` is what a server does at its start.
class played_checkout {
 public:
  explicit played_checkout(const std::string& on_node) {
    for (const auto* folder : {"scripts", "build"}) fs::create_directory(dir_ / folder);
    fs::create_symlink(fs::path{COROLLA_SOURCE_DIR} / "scripts/quickstart.sh", dir_ / "scripts/quickstart.sh");
    write_program("scripts/setup.sh", "");
    write_program("scripts/fetch_model.sh", "echo a-model\n");
    write_program("scripts/jobs.sh", "echo 1\n");
    dir_.write("build/build.ninja", "build corolla: phony\n");
    // A server waits on a pipe whose other end it holds itself.
    write_program(
        "build/corolla", "case $1 in\n  node)\n    echo $$ >>pids\n    " + on_node +
                             "\n    exec {own}<> <(:)\n    read -r -u \"$own\"\n    ;;\n"
                             "  generate) echo 'corolla: no server answers' >&2; exit 1 ;;\nesac\n");
  }
  ~played_checkout() {
    try {
      quickstart("stop");
    } catch (const std::exception& error) {
      BOOST_TEST_MESSAGE("the servers may be up still: " << error.what());
    }
  }
  played_checkout(const played_checkout&) = delete;
  played_checkout& operator=(const played_checkout&) = delete;

  run_result quickstart(const std::string& word) const {
    return run(
        {dir_ / "scripts/quickstart.sh", word},
        {.environment = {"COROLLA_QUICKSTART_PORT=0", "COROLLA_QUICKSTART_SECONDS=1"}, .input = {}, .folder = {}},
        patience);
  }

  /// Process ids of all servers that were started.
  std::vector<pid_t> servers() const {
    std::vector<pid_t> pids;
    std::ifstream in{dir_ / "pids"};
    for (pid_t pid = 0; in >> pid;) pids.push_back(pid);
    return pids;
  }

 private:
  void write_program(const std::string& name, const std::string& text) const {
    fs::permissions(dir_.write(name, "#!/usr/bin/env bash\n" + text), fs::perms::owner_all);
  }

  temp_dir dir_;
};

void check_none_is_up(const std::vector<pid_t>& servers) {
  for (const auto pid : servers) BOOST_TEST(!fs::exists("/proc/" + std::to_string(pid)));
}

}  // namespace

BOOST_AUTO_TEST_CASE(servers_that_are_wanted_once_are_stopped_also_where_no_text_came) {
  const played_checkout here{"echo ready corolla://somebody@127.0.0.1:1 model=m"};
  const auto result = here.quickstart("--once");
  BOOST_TEST(result.end.is(1), result.out << result.err);
  BOOST_TEST(
      result.err ==
      "corolla: no server answers\nquickstart: no text came; the servers' logs are .quickstart/server*.log\n");
  BOOST_TEST(here.servers().size() == 3u);
  check_none_is_up(here.servers());
}

BOOST_AUTO_TEST_CASE(a_server_that_never_says_that_it_is_ready_is_waited_for_for_a_time_and_stopped) {
  const played_checkout here{":"};
  const auto result = here.quickstart("--once");
  BOOST_TEST(result.end.is(1), result.out << result.err);
  BOOST_TEST(
      result.err == "quickstart: server 1 did not start: it was not ready within 1 s, see .quickstart/server1.log\n");
  BOOST_TEST(here.servers().size() == 1u);
  check_none_is_up(here.servers());
}

}  // namespace corolla::tests
