// The line that tells how far a model is loaded: for people at a terminal, and for nobody else.
#include <array>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include <poll.h>
#include <pty.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "tests/support/patience.hpp"
#include "tests/support/process.hpp"

namespace corolla::tests {

namespace {

const std::string tiny = COROLLA_SOURCE_DIR "/tests/golden/tiny/llama";

std::vector<std::string> node() {
  return {corolla_executable(), "node", "--node.model=" + tiny, "--node.blocks=0:4", "--node.threads=1"};
}

/// A process whose three streams are a terminal; it ends with its object.
class at_a_terminal {
 public:
  explicit at_a_terminal(std::vector<std::string> command) {
    std::vector<char*> words;
    for (auto& word : command) words.push_back(word.data());
    words.push_back(nullptr);
    const auto parent = ::getpid();
    pid_ = ::forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (pid_ < 0) throw std::runtime_error("no terminal can be made");
    if (pid_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent) ::execv(words[0], words.data());
    ::_exit(127);
  }
  ~at_a_terminal() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(terminal_);
  }
  at_a_terminal(const at_a_terminal&) = delete;
  at_a_terminal& operator=(const at_a_terminal&) = delete;

  /// All that it shows until a line holds `end`.
  std::string shown_until(const std::string& end) {
    std::string shown;
    for (size_t at = std::string::npos; at == std::string::npos || shown.find('\n', at) == std::string::npos;
         at = shown.find(end)) {
      pollfd one{terminal_, POLLIN, 0};
      std::array<char, 4096> buffer{};
      if (::poll(&one, 1, std::chrono::milliseconds{patience}.count()) != 1)
        throw std::runtime_error("the terminal shows no " + end + ": " + shown);
      const auto count = ::read(terminal_, buffer.data(), buffer.size());
      if (count <= 0) throw std::runtime_error("the process ended before it showed " + end + ": " + shown);
      shown.append(buffer.data(), static_cast<size_t>(count));
    }
    return shown;
  }

 private:
  pid_t pid_ = -1;
  int terminal_ = -1;
};

const std::string wipe = "\r\033[K";
const std::string loading = "blocks 0:4 of llama ";

}  // namespace

BOOST_AUTO_TEST_CASE(loading_is_told_in_one_line_of_a_terminal_that_is_wiped_at_its_end) {
  const auto shown = at_a_terminal{node()}.shown_until("ready corolla://");
  const auto last = shown.rfind(wipe + loading);
  BOOST_TEST_REQUIRE(last != std::string::npos, shown);
  BOOST_TEST(shown.substr(last).starts_with(wipe + loading + "100 %" + wipe), shown);
  // It came more than once, each time over the one before.
  BOOST_TEST(shown.find(wipe + loading) < last, shown);
  BOOST_TEST(shown.find('\n') > shown.find("ready corolla://"), shown);
}

BOOST_AUTO_TEST_CASE(a_pipe_is_told_nothing_of_loading) {
  process child{node()};
  child.wait_for_line("ready corolla://", patience);
  child.signal(SIGTERM);
  BOOST_TEST(child.wait(patience).is(0));
  BOOST_TEST(child.errors() == "");
}

}  // namespace corolla::tests
