// Logs go to standard error or a file, as text or as JSON lines; standard output belongs to the commands.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace corolla::runtime {

struct logging_options {
  /// trace, debug, info, warning, error, critical or off.
  std::string level = "info";
  /// "text", or "json": an object a line with time (UTC), level, name and message.
  std::string format = "text";
  /// Appended to; empty: standard error.
  std::filesystem::path file;
  /// Stands in every line, so that the logs of several nodes can be told apart; may be empty.
  std::string name;
};

/// Why there is no such level or format, as a sentence; nullopt where there is.
std::optional<std::string> refusal_of_level(const std::string& level);
std::optional<std::string> refusal_of_format(const std::string& format);

/// Sends what is logged through spdlog where `options` say.  Throws usage_error for an unknown level or format, and
/// std::runtime_error where the file cannot be opened.
void start_logging(const logging_options& options);

/// A line that tells how far a long job is, where standard error is a terminal.
class progress_line {
 public:
  explicit progress_line(std::string what);
  /// Wipes the line.
  ~progress_line();
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  /// Rewrites the line when the percentage has changed.
  void show(uint64_t done, uint64_t all);

 private:
  std::string what_;
  bool on_terminal_;
  int percent_ = -1;
};

}  // namespace corolla::runtime
