#include "tests/support/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace corolla::tests {

namespace {

using std::chrono::steady_clock;

struct pipe_ends {
  int read = -1;
  int write = -1;
};

pipe_ends make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe can be made");
  return {ends[0], ends[1]};
}

void close_end(int& fd) {
  if (fd >= 0) ::close(std::exchange(fd, -1));
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

/// This process's environment with `more` in front: the first of two entries with one name is the one that counts.
std::vector<std::string> environment_with(const std::vector<std::string>& more) {
  auto result = more;
  for (auto** entry = environ; *entry != nullptr; ++entry) {
    const auto name = std::string_view{*entry}.substr(0, std::string_view{*entry}.find('=') + 1);
    if (std::none_of(more.begin(), more.end(), [&](const std::string& text) { return text.starts_with(name); }))
      result.emplace_back(*entry);
  }
  return result;
}

/// What the child does between fork and exec: async-signal-safe calls alone.
[[noreturn]] void become(
    char* const* command, char* const* environment, const char* folder, const std::array<int, 3>& streams,
    pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have ended before that call.
  if (::getppid() != parent || (*folder != '\0' && ::chdir(folder) != 0)) ::_exit(126);
  for (int i = 0; i < 3; ++i)
    if (::dup2(streams[static_cast<size_t>(i)], i) < 0) ::_exit(126);
  ::signal(SIGPIPE, SIG_DFL);
  ::execvpe(command[0], command, environment);
  ::_exit(127);
}

int milliseconds_until(steady_clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
}

}  // namespace

std::string corolla_executable() {
  return std::string{COROLLA_BINARY_DIR} + "/corolla";
}

process::process(const std::vector<std::string>& command, const process_options& options) : input_{options.input} {
  auto words = command;
  auto variables = environment_with(options.environment);
  const auto argv = pointers(words), envp = pointers(variables);
  auto in = make_pipe(), out = make_pipe(), err = make_pipe();
  const auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(argv.data(), envp.data(), options.folder.c_str(), {in.read, out.write, err.write}, parent);
  close_end(in.read);
  close_end(out.write);
  close_end(err.write);
  in_ = in.write;
  out_.fd = out.read;
  err_.fd = err.read;
  if (pid_ < 0) fail("cannot be started");
  pid_fd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  for (const auto fd : {in_, out_.fd, err_.fd}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  give();
}

process::process(process&& other) noexcept
    : pid_{std::exchange(other.pid_, -1)},
      pid_fd_{std::exchange(other.pid_fd_, -1)},
      in_{std::exchange(other.in_, -1)},
      out_{std::exchange(other.out_.fd, -1), std::move(other.out_.text)},
      err_{std::exchange(other.err_.fd, -1), std::move(other.err_.text)},
      input_{std::move(other.input_)},
      given_{other.given_},
      ended_{other.ended_} {}

process::~process() {
  if (pid_ > 0 && !ended_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (auto* fd : {&pid_fd_, &in_, &out_.fd, &err_.fd}) close_end(*fd);
}

std::optional<std::string> process::read_line(milliseconds deadline) {
  const auto until = steady_clock::now() + deadline;
  for (;;) {
    if (const auto end = out_.text.find('\n'); end != std::string::npos) {
      auto line = out_.text.substr(0, end);
      out_.text.erase(0, end + 1);
      return line;
    }
    if (out_.fd < 0) return out_.text.empty() ? std::nullopt : std::optional{std::exchange(out_.text, {})};
    if (!pump(until)) fail("wrote no line in time");
  }
}

std::string process::wait_for_line(std::string_view prefix, milliseconds deadline) {
  const auto until = steady_clock::now() + deadline;
  for (;;) {
    const auto line = read_line(milliseconds{milliseconds_until(until)});
    if (!line) fail("ended before a line that begins with \"" + std::string{prefix} + "\"");
    if (line->starts_with(prefix)) return *line;
  }
}

void process::signal(int number) const {
  if (pid_ <= 0 || ended_) return;
  ::kill(pid_, number);
  if (number != SIGSTOP) return;
  // One of its threads has to run before they all stop.
  siginfo_t how;
  while (::waitid(P_PID, static_cast<id_t>(pid_), &how, WSTOPPED | WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
}

exit_state process::wait(milliseconds deadline) {
  const auto until = steady_clock::now() + deadline;
  // A grandchild may hold the pipes open: the child's own end decides, then what is left in them is taken.
  while (!ended_)
    if (!pump(until)) fail("did not end in time");
  take(out_);
  take(err_);
  return *ended_;
}

bool process::running() {
  reap();
  return !ended_;
}

bool process::pump(time_point until) {
  std::array<pollfd, 4> waiting{{
      {out_.fd, POLLIN, 0},
      {err_.fd, POLLIN, 0},
      {in_, POLLOUT, 0},
      {ended_ ? -1 : pid_fd_, POLLIN, 0},
  }};
  const auto count = ::poll(waiting.data(), waiting.size(), milliseconds_until(until));
  if (count == 0) return false;
  if (waiting[0].revents != 0) take(out_);
  if (waiting[1].revents != 0) take(err_);
  if (waiting[2].revents != 0) give();
  if (waiting[3].revents != 0) reap();
  return true;
}

void process::take(stream& from) {
  std::array<char, 65536> buffer{};
  while (from.fd >= 0) {
    const auto count = ::read(from.fd, buffer.data(), buffer.size());
    if (count > 0)
      from.text.append(buffer.data(), static_cast<size_t>(count));
    else if (count == 0 || (errno != EAGAIN && errno != EINTR))
      close_end(from.fd);
    else if (errno == EAGAIN)
      return;
  }
}

void process::give() {
  // A child that ended without reading must not end this process.
  sigset_t pipe_signal, before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  while (given_ < input_.size()) {
    const auto count = ::write(in_, input_.data() + given_, input_.size() - given_);
    if (count > 0)
      given_ += static_cast<size_t>(count);
    else if (errno == EAGAIN)
      break;
    else if (errno != EINTR)
      given_ = input_.size();
  }
  const timespec now{};
  ::sigtimedwait(&pipe_signal, nullptr, &now);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (given_ == input_.size()) close_end(in_);
}

void process::reap() {
  int status = 0;
  if (!ended_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
    ended_ = WIFEXITED(status) ? exit_state{true, WEXITSTATUS(status)} : exit_state{false, WTERMSIG(status)};
}

void process::fail(const std::string& what) const {
  throw std::runtime_error("the process " + what + "; its standard error: " + err_.text);
}

run_result run(
    const std::vector<std::string>& command, const process_options& options, std::chrono::milliseconds deadline) {
  process child{command, options};
  const auto end = child.wait(deadline);
  return {end, child.output(), child.errors()};
}

}  // namespace corolla::tests
