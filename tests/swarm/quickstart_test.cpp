// scripts/quickstart.sh on a machine where everything is built and fetched: nothing is installed, configured, compiled
// or downloaded here, and a swarm that somebody started with it in this checkout is left alone.
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/listening.hpp"
#include "tests/support/swarm.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

namespace {

namespace fs = std::filesystem;

fs::path model_file() {
  const auto* chosen = std::getenv("COROLLA_SMOLLM2_GGUF");
  const fs::path file = chosen ? chosen : COROLLA_SOURCE_DIR "/.deps/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!fs::exists(file))
    throw std::runtime_error("there is no " + file.string() + ": scripts/fetch_model.sh fetches it");
  return file;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in{text};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// A checkout made of links to this one, whose servers are stopped with it.
class checkout {
 public:
  checkout() {
    const fs::path source = COROLLA_SOURCE_DIR;
    const auto model = model_file();
    fs::create_directories(dir_ / ".deps/models");
    fs::create_directory(dir_ / "tools");
    fs::create_symlink(source / "scripts", dir_ / "scripts");
    fs::create_symlink(COROLLA_BINARY_DIR, dir_ / "build");
    fs::create_symlink(source / ".deps/torch", dir_ / ".deps/torch");
    fs::create_symlink(model, dir_ / ".deps/models/SmolLM2-135M-Instruct.Q4_1.gguf");
    for (const auto* tool : {"apt-get", "sudo", "python3", "cmake"}) {
      const auto file = dir_.write(
          "tools/" + std::string{tool},
          "#!/bin/sh\necho \"a test may not run " + std::string{tool} + "\" >&2\nexit 1\n");
      fs::permissions(file, fs::perms::owner_all);
    }
    const auto work = run({"ninja", "-C", COROLLA_BINARY_DIR, "-n", "corolla"});
    if (work.out.find("no work to do") == std::string::npos)
      throw std::runtime_error("corolla is not up to date, and this test builds nothing: build it first");
  }
  ~checkout() {
    try {
      quickstart("stop");
    } catch (const std::exception& error) {
      BOOST_TEST_MESSAGE("the servers may be up still: " << error.what());
    }
  }
  checkout(const checkout&) = delete;
  checkout& operator=(const checkout&) = delete;

  run_result quickstart(const std::string& word = {}) const {
    std::vector<std::string> words{dir_ / "scripts/quickstart.sh"};
    if (!word.empty()) words.push_back(word);
    return run(
        words,
        {.environment = {"PATH=" + (dir_ / "tools").string() + ':' + std::getenv("PATH"), "COROLLA_QUICKSTART_PORT=0"},
         .input = {},
         .folder = {}},
        2 * patience);
  }

  /// Process ids of the servers as the script notes them.
  std::vector<pid_t> servers() const {
    std::vector<pid_t> pids;
    for (const auto* name : {"server1.pid", "server2.pid", "server3.pid"})
      if (pid_t pid = 0; std::ifstream{dir_ / ".quickstart" / name} >> pid) pids.push_back(pid);
    return pids;
  }

 private:
  temp_dir dir_;
};

/// "   NAME: 3 s" or "== done in 3 s": the seconds.
int seconds_of(const std::string& output, const std::string& begin) {
  for (const auto& line : lines_of(output)) {
    std::smatch parts;
    if (line.starts_with(begin) && std::regex_match(line, parts, std::regex{".*[:n] ([0-9]+) s"}))
      return std::stoi(parts[1]);
  }
  throw std::runtime_error("no line tells the seconds of \"" + begin + "\": " + output);
}

std::vector<std::string> ready_lines(const std::string& output) {
  std::vector<std::string> ready;
  for (const auto& line : lines_of(output))
    if (line.starts_with("   ready corolla://")) ready.push_back(line);
  return ready;
}

const std::vector<std::string> stages{
    "what corolla is built from", "building corolla", "a small real model", "three servers", "text through the swarm"};

/// Every stage is there with its time, in this order, and the text is what the model says in one process.
void check_stages(const std::string& output, const std::string& text) {
  size_t at = 0;
  for (const auto& stage : stages) {
    at = output.find("== " + stage + '\n', at);
    BOOST_TEST_REQUIRE(at != std::string::npos, stage);
    BOOST_TEST(seconds_of(output, "   " + stage + ": ") >= 0, stage);
  }
  BOOST_TEST(output.find("   The three primary colours are" + text, at) != std::string::npos, output);
  BOOST_TEST(output.find("ninja: no work to do.") != std::string::npos, output);
  BOOST_TEST(output.find("scripts/quickstart.sh stop") != std::string::npos, output);
}

}  // namespace

BOOST_AUTO_TEST_CASE(quickstart_starts_three_servers_generates_finds_them_again_and_stops_them) {
  const auto local = run_corolla(
      {"generate", "--local", "--model", model_file(), "--threads", "1", "--prompt", "The three primary colours are",
       "--max-new-tokens", "24"});
  BOOST_TEST_REQUIRE(local.end.is(0), local.err);
  BOOST_TEST(local.out.size() > 24u);
  const checkout here;

  const auto first = here.quickstart();
  BOOST_TEST_REQUIRE(first.end.is(0), first.out << first.err);
  check_stages(first.out, local.out);
  const auto ready = ready_lines(first.out);
  BOOST_TEST_REQUIRE(ready.size() == 3u);
  for (size_t i = 0; i < 3; ++i) {
    const auto* blocks = std::vector{" blocks=0:10 ", " blocks=10:20 ", " blocks=20:30 "}[i];
    BOOST_TEST(ready[i].find(blocks) != std::string::npos, ready[i]);
    BOOST_TEST(somebody_listens(port_of(ready[i])));
  }
  const auto servers = here.servers();
  BOOST_TEST_REQUIRE(servers.size() == 3u);

  const auto second = here.quickstart();
  BOOST_TEST_REQUIRE(second.end.is(0), second.out << second.err);
  check_stages(second.out, local.out);
  BOOST_TEST(second.out.find("   up already\n") != std::string::npos, second.out);
  BOOST_TEST(ready_lines(second.out).empty());
  BOOST_TEST(here.servers() == servers);
  BOOST_TEST(seconds_of(second.out, "== done in ") <= 30);

  const auto stopped = here.quickstart("stop");
  BOOST_TEST(stopped.end.is(0), stopped.err);
  BOOST_TEST(stopped.out == "the servers are stopped\n");
  for (const auto& line : ready) BOOST_TEST(!somebody_listens(port_of(line)));
  for (const auto pid : servers) BOOST_TEST(!fs::exists("/proc/" + std::to_string(pid)));
  BOOST_TEST(here.servers().empty());
}

BOOST_AUTO_TEST_CASE(quickstart_does_not_take_a_word_that_it_does_not_know) {
  const auto result = run({COROLLA_SOURCE_DIR "/scripts/quickstart.sh", "stopp"});
  BOOST_TEST(result.end.is(2));
  BOOST_TEST(result.err == "usage: scripts/quickstart.sh [--once | stop]\n");
}

}  // namespace corolla::tests
