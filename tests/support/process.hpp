// A child process with pipes: it is ended and reaped whatever a test does, and nothing here sleeps.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace corolla::tests {

/// Where the executable `corolla` of this build is.
std::string corolla_executable();

struct process_options {
  /// "NAME=VALUE", on top of this process's environment.
  std::vector<std::string> environment;
  /// What the child reads on standard input, which is closed behind it.
  std::string input;
  /// Working folder; empty: this one's.
  std::string folder;
};

/// How a process ended.
struct exit_state {
  bool exited = false;  ///< false: by a signal
  int code = 0;         ///< exit status, or the signal's number

  /// It exited with `status`.
  bool is(int status) const { return exited && code == status; }
};

class process {
 public:
  using milliseconds = std::chrono::milliseconds;

  /// Starts `command` (found in PATH).  Throws std::runtime_error where it cannot be started.
  explicit process(const std::vector<std::string>& command, const process_options& options = {});
  /// Kills it if it still runs, and reaps it.
  ~process();
  process(process&& other) noexcept;
  process& operator=(process&&) = delete;

  pid_t pid() const { return pid_; }

  /// The next line of standard output, without its end; nullopt at its end.  Standard error is read meanwhile, so that
  /// the child never blocks on it.  Throws std::runtime_error, with what standard error held, when `deadline` passes.
  std::optional<std::string> read_line(milliseconds deadline);
  /// Lines until one begins with `prefix`; that line.  Throws also when standard output ends first.
  std::string wait_for_line(std::string_view prefix, milliseconds deadline);

  void signal(int number) const;
  /// Waits for the end; whatever the child writes is kept.  Throws std::runtime_error when `deadline` passes.
  exit_state wait(milliseconds deadline);
  bool running();

  /// What came so far and no read_line took.
  const std::string& output() const { return out_.text; }
  const std::string& errors() const { return err_.text; }

 private:
  using time_point = std::chrono::steady_clock::time_point;

  struct stream {
    int fd = -1;
    std::string text;
  };

  /// Waits for something to read, to write or for the child's end; takes it.  False when `until` passed before.
  bool pump(time_point until);
  void take(stream& from);
  void give();
  /// Reaps the child if it has ended.
  void reap();
  [[noreturn]] void fail(const std::string& what) const;

  pid_t pid_ = -1;
  int pid_fd_ = -1;
  int in_ = -1;
  stream out_, err_;
  std::string input_;
  size_t given_ = 0;
  std::optional<exit_state> ended_;
};

/// Runs a command to its end: what most tests of the command line want.
struct run_result {
  exit_state end;
  std::string out;
  std::string err;
};
run_result run(
    const std::vector<std::string>& command, const process_options& options = {},
    std::chrono::milliseconds deadline = std::chrono::seconds{60});

}  // namespace corolla::tests
