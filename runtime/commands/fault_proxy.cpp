#include "runtime/fault_proxy.hpp"

#include <future>
#include <iostream>

#include "crypto/address.hpp"
#include "runtime/commands/parse.hpp"
#include "runtime/errors.hpp"
#include "runtime/signals.hpp"
#include "runtime/units.hpp"

namespace corolla::runtime::commands {
namespace {

constexpr auto end_patience = std::chrono::seconds{5};

/// As they stand on the command line.
struct proxy_flags {
  std::string listen, to, delay, jitter, rate, cut_after, flip_after;
  std::vector<std::string> half_open;
  uint64_t seed = 1;

  void add_to(CLI::App& app);
  fault_settings settings() const;
};

void proxy_flags::add_to(CLI::App& app) {
  app.add_option("--listen", listen, "HOST:PORT to listen at; port 0: any free one, which the ready line tells")
      ->required();
  app.add_option("--to", to, "HOST:PORT where connections lead")->required();
  app.add_option("--delay", delay, "delays each way by so much: 50ms");
  app.add_option("--jitter", jitter, "part of the delay by which a piece is early or late: 20%");
  app.add_option("--rate", rate, "carries no more each way, for each connection: 100Mbit");
  app.add_option(
      "--cut,--cut-after", cut_after,
      "resets a connection after so many bytes (20000) or so long after it began (5s); both names mean the same");
  app.add_option(
         "--half-open", half_open, "to|from AFTER: nothing arrives in that direction any more, after bytes or time")
      ->expected(2);
  app.add_option("--flip-after", flip_after, "each way, flips a bit of the byte behind so many");
  app.add_option("--seed", seed, "the same seed makes the same delays and flips")->capture_default_str();
}

template <class T>
T wanted(std::optional<T> value, const std::string& option, const std::string& what, const std::string& text) {
  if (!value) throw usage_error(option + " wants " + what + ", not \"" + text + "\"");
  return *std::move(value);
}

/// "20000" or "5s".
void read_after(
    const std::string& option, const std::string& text, std::optional<uint64_t>& bytes,
    std::optional<std::chrono::nanoseconds>& time) {
  bytes = parse_count(text);
  if (!bytes) time = wanted(parse_time(text), option, "bytes such as 20000 or a time such as 5s", text);
}

fault_settings proxy_flags::settings() const {
  fault_settings result;
  const auto place = [](const std::string& option, const std::string& text) {
    return wanted(crypto::address::parse_host_port(text), option, "HOST:PORT", text);
  };
  const auto here = place("--listen", listen), there = place("--to", to);
  if (there.port == 0) throw usage_error("--to wants the port of a node, and nobody listens at port 0");
  result.listen_host = here.host;
  result.listen_port = here.port;
  result.host = there.host;
  result.port = there.port;
  result.seed = seed;
  if (!delay.empty()) result.delay = wanted(parse_time(delay), "--delay", "a time such as 50ms", delay);
  if (!jitter.empty()) result.jitter = wanted(parse_part(jitter), "--jitter", "a part from 0% to 100%", jitter);
  if (!jitter.empty() && delay.empty()) throw usage_error("--jitter is a part of --delay: give that too");
  if (!rate.empty()) result.bytes_per_s = wanted(parse_rate(rate), "--rate", "bits a second such as 100Mbit", rate);
  if (!cut_after.empty()) read_after("--cut", cut_after, result.cut_after_bytes, result.cut_after_time);
  if (!flip_after.empty())
    result.flip_after = wanted(parse_count(flip_after), "--flip-after", "bytes such as 20000", flip_after);
  if (half_open.empty()) return result;
  if (half_open[0] != "to" && half_open[0] != "from")
    throw usage_error("--half-open wants \"to\" or \"from\" and then bytes or a time, not \"" + half_open[0] + "\"");
  result.silent = half_open[0] == "to" ? direction::to : direction::from;
  read_after("--half-open", half_open[1], result.silent_after_bytes, result.silent_after_time);
  return result;
}

}  // namespace

int fault_proxy(const arguments& args) {
  CLI::App app{
      "Stands before a node as a bad network: late, slow, cut, silent one way, or altered.  Prints \"ready HOST:PORT\" "
      "and works until SIGTERM or SIGINT.  A node behind it announces that address (--node.announce=HOST:PORT), so "
      "that "
      "others dial the proxy.",
      "fault-proxy"};
  proxy_flags flags;
  flags.add_to(app);
  if (!parse(app, args)) return exit_done;
  const auto settings = flags.settings();
  std::promise<void> ended;
  // Before the proxy's thread is made.
  const signal_watch signals{[&ended](int) {
    ended.set_value();
    return end_patience;
  }};
  const runtime::fault_proxy proxy{settings};
  std::cout << "ready " << proxy.address() << std::endl;
  ended.get_future().wait();
  return exit_done;
}

}  // namespace corolla::runtime::commands
