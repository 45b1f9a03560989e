#include "runtime/logging.hpp"

#include <array>
#include <cstdio>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "runtime/errors.hpp"
#include "runtime/nearest.hpp"

namespace corolla::runtime {

namespace {

/// An object a line.
class json_formatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    nlohmann::ordered_json line;
    line["time"] = utc(message.time);
    const auto level = spdlog::level::to_string_view(message.level);
    line["level"] = std::string{level.data(), level.size()};
    if (message.logger_name.size() > 0)
      line["name"] = std::string{message.logger_name.data(), message.logger_name.size()};
    line["message"] = std::string{message.payload.data(), message.payload.size()};
    // What a peer sent may stand in a message: bytes that are no UTF-8 are replaced.
    const auto text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    out.append(text.data(), text.data() + text.size());
    out.push_back('\n');
  }

  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<json_formatter>(); }

 private:
  static std::string utc(spdlog::log_clock::time_point time) {
    const auto since_epoch = time.time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch - seconds).count();
    const std::time_t whole = seconds.count();
    std::tm broken_down{};
    ::gmtime_r(&whole, &broken_down);
    std::array<char, 40> text{};
    const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &broken_down);
    std::snprintf(text.data() + length, text.size() - length, ".%03dZ", static_cast<int>(millis));
    return text.data();
  }
};

/// In spdlog's order.
const std::vector<std::string>& level_names() {
  static const std::vector<std::string> names{"trace", "debug", "info", "warning", "error", "critical", "off"};
  return names;
}

std::optional<spdlog::level::level_enum> parse_level(const std::string& name) {
  const auto& names = level_names();
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<spdlog::level::level_enum>(i);
  return std::nullopt;
}

spdlog::sink_ptr make_sink(const std::filesystem::path& file) {
  if (file.empty()) return std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  try {
    return std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string());
  } catch (const spdlog::spdlog_ex&) {
    throw std::runtime_error("the log file " + file.string() + " cannot be written");
  }
}

}  // namespace

std::optional<std::string> refusal_of_level(const std::string& level) {
  if (parse_level(level)) return std::nullopt;
  return "there is no log level \"" + level + "\"; the nearest is \"" + std::string{nearest(level, level_names())} +
         "\"";
}

std::optional<std::string> refusal_of_format(const std::string& format) {
  if (format == "text" || format == "json") return std::nullopt;
  return "logs are written as \"text\" or \"json\", not as \"" + format + "\"";
}

void start_logging(const logging_options& options) {
  if (const auto what = refusal_of_level(options.level)) throw usage_error(*what);
  if (const auto what = refusal_of_format(options.format)) throw usage_error(*what);
  auto logger = std::make_shared<spdlog::logger>(options.name, make_sink(options.file));
  if (options.format == "json")
    logger->set_formatter(std::make_unique<json_formatter>());
  else
    logger->set_pattern(options.name.empty() ? "%Y-%m-%d %H:%M:%S.%e %^%l%$ %v" : "%Y-%m-%d %H:%M:%S.%e %n %^%l%$ %v");
  logger->set_level(*parse_level(options.level));
  // A log is read when something went wrong: nothing stays in a buffer.
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

progress_line::progress_line(std::string what) : what_{std::move(what)}, on_terminal_{::isatty(STDERR_FILENO) == 1} {}

progress_line::~progress_line() {
  if (percent_ >= 0) std::fputs("\r\033[K", stderr);
}

void progress_line::show(uint64_t done, uint64_t all) {
  if (!on_terminal_ || all == 0) return;
  const auto percent = static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(all));
  if (percent == percent_) return;
  percent_ = percent;
  std::fprintf(stderr, "\r\033[K%s %d %%", what_.c_str(), percent);
}

}  // namespace corolla::runtime
