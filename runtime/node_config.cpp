#include "runtime/node_config.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>

#include <caf/io/middleman.hpp>

#include "actors/wire/limits.hpp"
#include "crypto/address.hpp"
#include "crypto/swarm.hpp"
#include "runtime/caf_defaults.hpp"
#include "runtime/errors.hpp"
#include "runtime/hosts.hpp"
#include "runtime/nearest.hpp"
#include "runtime/threads.hpp"

namespace corolla::runtime {

namespace {

using namespace std::chrono_literals;
namespace limits = actors::wire::limits;

std::string in_quotes(std::string_view text) {
  return "\"" + std::string{text} + "\"";
}

/// CAF options that open its own remoting, which any peer could use to harm a node, or that break our links.
constexpr std::array<std::string_view, 5> remoting_options{
    "middleman.app-identifier", "middleman.app-identifiers", "middleman.enable-automatic-connections",
    "middleman.attach-utility-actors", "middleman.manual-multiplexing"};

bool opens_remoting(std::string_view key) {
  return key.starts_with("openssl.") ||
         std::find(remoting_options.begin(), remoting_options.end(), key) != remoting_options.end();
}

/// "--caf#node.port=80" or "--node.port=80" -> "node.port"; empty where it is no long option.
std::string_view name_of(std::string_view argument) {
  if (!argument.starts_with("--")) return {};
  argument.remove_prefix(2);
  if (argument.starts_with("caf#")) argument.remove_prefix(4);
  return argument.substr(0, argument.find('='));
}

/// A truth value that is written out, --node.serve=false: CAF takes its own only as flags, which cannot be turned off.
const caf::config_option::meta_state& written_bool() {
  static const caf::config_option::meta_state meta{
      [](const caf::config_value& value) -> caf::error {
        return caf::holds_alternative<bool>(value) ? caf::none : caf::make_error(caf::pec::type_mismatch);
      },
      [](void* to, const caf::config_value& value) { *static_cast<bool*>(to) = caf::get<bool>(value); },
      [](const void* from) { return caf::config_value{*static_cast<const bool*>(from)}; },
      [](void* to, caf::string_view text) -> caf::expected<caf::config_value> {
        if (text != "true" && text != "false") return caf::make_error(caf::pec::type_mismatch);
        auto value = text == "true";
        if (to != nullptr) *static_cast<bool*>(to) = value;
        return caf::config_value{value};
      },
      "true or false"};
  return meta;
}

/// Options that are about the blocks that a node serves.
constexpr std::array<std::string_view, 13> serving_options{
    "node.model",        "node.blocks",      "node.dtype",     "node.device",
    "node.cache_tokens", "node.page_tokens", "node.log_bytes", "node.max_sessions",
    "node.max_length",   "node.max_batch",   "node.pass_rows", "node.max_alloc_timeout",
    "node.drain_timeout"};

/// The parts between commas: one `--node.peers=A,B` gives two.
std::vector<std::string> split(const std::vector<std::string>& values) {
  std::vector<std::string> parts;
  for (const auto& value : values) {
    std::istringstream in{value};
    for (std::string part; std::getline(in, part, ',');)
      if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

}  // namespace

node_config::node_config() {
  set_caf_defaults(*this);
  load<caf::io::middleman>();
  options_.threads = available_processors();
  raw_.host = options_.host;
  raw_.swarm = options_.swarm.kind;
  raw_.dtype = std::string{model::to_string(options_.dtype)};
  raw_.device = options_.device;
  raw_.liveness = options_.liveness;
  raw_.max_alloc_timeout = options_.max_alloc_timeout;
  raw_.drain_timeout = options_.drain_timeout;
  raw_.log_level = options_.log.level;
  raw_.log_format = options_.log.format;
  add_options();
  for (const auto key : serving_options) {
    const auto name = std::string{key};
    if (const auto value = custom_options_.qualified_name_lookup(name)->get())
      defaults_.emplace(name, to_config_text(*value));
  }
}

void node_config::add_options() {
  opt_group{custom_options_, "node"}
      .add(raw_.model, "model", "Hugging Face folder or GGUF file; must be given unless serve is false")
      .add(raw_.blocks, "blocks", "blocks to serve, \"FIRST:END\" without END; empty: all of the model's")
      .add(raw_.host, "host", "address to listen on")
      .add(options_.port, "port", "port to listen on; 0: any free one")
      .add(raw_.announce, "announce", "\"HOST:PORT\" to tell others instead of host and port")
      .add(raw_.peers, "peers", "corolla://ID@HOST:PORT of nodes that are in the swarm already")
      .add(raw_.identity, "identity", "file of the node's key, made if missing; empty: a new key at each start")
      .add(raw_.swarm, "swarm", "who may join: local (this machine), private (a swarm key) or open (anyone)")
      .add(raw_.swarm_id, "swarm_id", "private: the swarm's id, from `corolla keys new-swarm`")
      .add(raw_.certificate, "certificate", "private: file of this node's certificate, from `corolla keys invite`")
      .add(raw_.dtype, "dtype", "what weights, cache and arithmetic use: float32 or bfloat16")
      .add(raw_.device, "device", "cpu or cuda:N")
      .add(options_.threads, "threads", "threads that compute")
      .add(options_.cache_tokens, "cache_tokens", "tokens that all sessions' caches hold together")
      .add(options_.page_tokens, "page_tokens", "tokens in a page of the cache")
      .add(options_.log_bytes, "log_bytes", "bytes of memory for outputs kept until the client has them")
      .add(options_.max_sessions, "max_sessions", "sessions at a time")
      .add(options_.max_length, "max_length", "tokens of one session")
      .add(options_.max_batch, "max_batch", "rows of one session")
      .add(options_.pass_rows, "pass_rows", "rows that one pass over the weights takes, of all sessions together")
      .add(raw_.max_alloc_timeout, "max_alloc_timeout", "longest that a session may wait for room in the cache")
      .add(raw_.drain_timeout, "drain_timeout", "after SIGTERM sessions get so long to find another server")
      .add(raw_.liveness, "liveness", "silence after which a peer is taken for dead")
      .add(raw_.name, "name", "stands in every line of the log; may be empty")
      .add(raw_.log_level, "log_level", "trace, debug, info, warning, error, critical or off")
      .add(raw_.log_format, "log_format", "text, or json: an object a line")
      .add(raw_.log_file, "log_file", "file that the log is appended to; empty: standard error");
  custom_options_.add(caf::config_option{
      "node", "serve", "false: a node that others are found through, without blocks and without a model",
      &written_bool(), &options_.serve});
}

node_config::request node_config::read(const std::vector<std::string>& arguments) {
  take_arguments(arguments);
  const auto has = [&](std::string_view flag) {
    return std::find(arguments.begin(), arguments.end(), flag) != arguments.end();
  };
  if (has("--help") || has("-h") || has("-?")) return request::help;
  const auto file = read_file();
  std::istringstream in{file};
  // Printed here, not by CAF, whose dump knows only what was set.
  auto for_caf = arguments;
  std::erase(for_caf, "--dump-config");
  if (auto error = parse(std::move(for_caf), in))
    throw usage_error("CAF does not take the options: " + to_string(error));
  if (cli_helptext_printed) return request::help;
  refuse_remoting();
  complete();
  return has("--dump-config") ? request::dump : request::run;
}

void node_config::take_arguments(const std::vector<std::string>& arguments) {
  std::vector<std::string> known;
  for (const auto& option : custom_options_)
    known.push_back("--" + to_text(option.has_flat_cli_name() ? option.long_name() : option.full_name()));
  for (const auto& argument : arguments) {
    if (argument == "-h" || argument == "-?") continue;
    const auto name = std::string{name_of(argument)};
    if (name.empty())
      throw usage_error(
          "a node takes options such as --node.port=8080, not " + in_quotes(argument) +
          "; --config-file=FILE names a file");
    const auto* option = custom_options_.cli_long_name_lookup(name);
    if (option == nullptr)
      throw usage_error(
          "there is no option --" + name + "; the nearest is " + std::string{nearest("--" + name, known)});
    if (name != "config-file") from_command_line_.push_back(name);
    const auto equals = argument.find('=');
    if (option->is_flag()) {
      if (equals != std::string::npos) throw usage_error("--" + name + " takes no value");
      continue;
    }
    if (equals == std::string::npos)
      throw usage_error("--" + name + " wants its value behind =, as in --" + name + "=VALUE");
    const auto value = argument.substr(equals + 1);
    if (!option->parse(value))
      throw usage_error("--" + name + " wants " + wanted_by(*option) + ", not " + in_quotes(value));
    if (name == "config-file") file_ = value;
  }
}

std::string node_config::read_file() {
  if (file_.empty()) return {};
  std::ifstream in{file_, std::ios::binary};
  std::ostringstream bytes;
  if (!(bytes << in.rdbuf())) throw usage_error("the config file " + file_ + " cannot be read");
  auto text = bytes.str();
  std::erase(text, '\r');
  lines_ = check_config_file(text, file_, custom_options_);
  return text;
}

void node_config::refuse_remoting() const {
  const auto check = [&](const std::string& key) {
    if (opens_remoting(key))
      refuse(
          key,
          key + " belongs to CAF's own remoting, which any peer could use to harm a node; nodes talk through links");
  };
  for (const auto& [key, line] : lines_) check(key);
  std::for_each(from_command_line_.begin(), from_command_line_.end(), check);
}

void node_config::refuse(const std::string& key, const std::string& what) const {
  const auto overridden =
      std::find(from_command_line_.begin(), from_command_line_.end(), key) != from_command_line_.end();
  if (const auto line = lines_.find(key); line != lines_.end() && !overridden)
    throw usage_error(file_ + ":" + std::to_string(line->second) + ": " + what);
  throw usage_error(what);
}

void node_config::complete() {
  complete_model();
  complete_scheduler();
  complete_network();
  complete_swarm();
  refuse_what_nobody_can_dial();
  complete_limits();
  complete_log();
}

/// A config file with every option must do for such a node too, so what stands there with its default is no
/// contradiction; a model or blocks are.
void node_config::refuse_what_serving_needs() const {
  for (const auto key : serving_options) {
    const auto name = std::string{key};
    const auto* option = custom_options_.qualified_name_lookup(name);
    const auto value = option->get();
    if (!value || to_config_text(*value) == defaults_.at(name)) continue;
    refuse(name, name + " is for a node that serves blocks, and node.serve is false");
  }
}

void node_config::complete_model() {
  if (!options_.serve) return refuse_what_serving_needs();
  if (raw_.model.empty())
    refuse(
        "node.model",
        "a node needs a model: add --node.model=PATH, a Hugging Face folder or a GGUF file, or --node.serve=false for "
        "a "
        "node without blocks");
  options_.model = raw_.model;
  if (!raw_.blocks.empty()) {
    options_.blocks = model::parse_block_range(raw_.blocks);
    if (!options_.blocks)
      refuse(
          "node.blocks",
          "node.blocks wants \"FIRST:END\" with FIRST below END, such as \"0:10\", not " + in_quotes(raw_.blocks));
  }
  const auto type = model::parse_dtype(raw_.dtype);
  if (type != model::dtype::float32 && type != model::dtype::bfloat16)
    refuse("node.dtype", "node.dtype is \"float32\" or \"bfloat16\", not " + in_quotes(raw_.dtype));
  options_.dtype = *type;
  const auto device = std::string_view{raw_.device};
  const auto number = device.starts_with("cuda:") ? device.substr(5) : std::string_view{};
  const auto is_cuda = !number.empty() && number.size() < 4 && number.find_first_not_of("0123456789") == number.npos;
  if (device != "cpu" && !is_cuda)
    refuse("node.device", "node.device is \"cpu\" or \"cuda:N\", not " + in_quotes(device));
  options_.device = device;
}

void node_config::complete_scheduler() {
  if (options_.threads == 0 || options_.threads > 1024)
    refuse("node.threads", "node.threads is from 1 to 1024, not " + std::to_string(options_.threads));
  // CAF would start, and nothing would ever run.
  for (const std::string key : {"scheduler.max-threads", "scheduler.max-throughput"})
    if (caf::get_or(*this, key, size_t{1}) == 0) refuse(key, key + " is 1 or more, not 0");
  // CAF takes another one with no more than a warning; its third, 'testing', runs nothing by itself.
  const std::vector<std::string> policies{"stealing", "sharing"};
  const auto policy = to_string(caf::get_or(*this, "scheduler.policy", caf::atom("stealing")));
  if (std::find(policies.begin(), policies.end(), policy) == policies.end())
    refuse(
        "scheduler.policy", "there is no scheduler.policy '" + policy + "'; the nearest is '" +
                                std::string{nearest(policy, policies)} + "'");
}

void node_config::complete_network() {
  options_.host = raw_.host;
  if (options_.host.starts_with("[") && options_.host.ends_with("]"))
    options_.host = options_.host.substr(1, options_.host.size() - 2);
  if (options_.host.empty() || options_.host.size() > crypto::max_host)
    refuse("node.host", "node.host wants a name or an address of this machine, not " + in_quotes(raw_.host));
  options_.announce = split(raw_.announce);
  for (const auto& text : options_.announce)
    if (const auto where = crypto::address::parse_host_port(text); !where || where->port == 0)
      refuse(
          "node.announce",
          "node.announce wants \"HOST:PORT\" with an IPv6 address in brackets, not " + in_quotes(text));
  options_.peers = split(raw_.peers);
  for (const auto& text : options_.peers)
    if (!crypto::address::parse(text))
      refuse("node.peers", "node.peers wants corolla://ID@HOST:PORT as a ready line shows it, not " + in_quotes(text));
  options_.liveness = std::chrono::duration_cast<std::chrono::milliseconds>(raw_.liveness);
  if (options_.liveness < 50ms || options_.liveness > 1h) refuse("node.liveness", "node.liveness is from 50ms to 1h");
  options_.drain_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(raw_.drain_timeout);
  if (options_.drain_timeout < 0ms || options_.drain_timeout > 24h)
    refuse("node.drain_timeout", "node.drain_timeout is from 0s to 24h");
}

void node_config::complete_swarm() {
  const std::vector<std::string> kinds{"local", "open", "private"};
  const auto kind = crypto::parse_swarm_kind(raw_.swarm);
  if (!kind)
    refuse(
        "node.swarm", "there is no kind of swarm " + in_quotes(raw_.swarm) + "; the nearest is \"" +
                          std::string{nearest(raw_.swarm, kinds)} + "\"");
  options_.swarm = {raw_.swarm, raw_.swarm_id, raw_.certificate, raw_.identity};
  if (*kind == crypto::swarm_kind::private_) {
    if (!crypto::swarm_id::parse(raw_.swarm_id))
      refuse(
          raw_.swarm_id.empty() ? "node.swarm" : "node.swarm_id",
          "node.swarm=private needs node.swarm_id, \"swarm-...\" as `corolla keys new-swarm` shows it");
    if (raw_.certificate.empty())
      refuse("node.swarm", "node.swarm=private needs node.certificate, a file with what `corolla keys invite` gave");
    if (raw_.identity.empty())
      refuse("node.swarm", "node.swarm=private needs node.identity, the key that the certificate was made for");
    return;
  }
  for (const auto* key : {"node.swarm_id", "node.certificate"})
    if (!(key == std::string_view{"node.swarm_id"} ? raw_.swarm_id : raw_.certificate).empty())
      refuse(key, std::string{key} + " is for node.swarm=private alone, and node.swarm is " + raw_.swarm);
  if (*kind == crypto::swarm_kind::open) return;
  const auto beyond = [](const std::string& host) {
    return host +
           " is reached from other machines, and node.swarm is local: set --node.swarm=private (with node.swarm_id and "
           "node.certificate) or --node.swarm=open";
  };
  if (!is_loopback(options_.host)) refuse("node.host", "node.host=" + beyond(options_.host));
  for (const auto& text : options_.announce)
    if (const auto where = crypto::address::parse_host_port(text); !is_loopback(where->host))
      refuse("node.announce", "node.announce=" + beyond(text));
}

void node_config::refuse_what_nobody_can_dial() const {
  if (is_wildcard(options_.host) && options_.announce.empty())
    refuse(
        "node.host", "node.host=" + raw_.host +
                         " is where the node listens, and nobody can dial it: set node.announce to the HOST:PORT at "
                         "which others reach this machine");
  for (const auto& text : options_.announce)
    if (is_wildcard(crypto::address::parse_host_port(text)->host))
      refuse("node.announce", "node.announce=" + text + " is an address that nobody can dial");
}

void node_config::complete_limits() {
  const auto within = [&](const std::string& key, uint64_t value, uint64_t least, uint64_t most) {
    if (value < least || value > most)
      refuse(
          key,
          key + " is from " + std::to_string(least) + " to " + std::to_string(most) + ", not " + std::to_string(value));
  };
  within("node.page_tokens", options_.page_tokens, 1, 4096);
  within("node.cache_tokens", options_.cache_tokens, options_.page_tokens, uint64_t{1} << 40);
  within("node.log_bytes", options_.log_bytes, 1 << 20, uint64_t{1} << 50);
  within("node.max_sessions", options_.max_sessions, 1, 1 << 20);
  within("node.max_length", options_.max_length, 1, limits::session_length);
  within("node.max_batch", options_.max_batch, 1, limits::session_batch);
  within("node.pass_rows", options_.pass_rows, 1, 1 << 20);
  options_.max_alloc_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(raw_.max_alloc_timeout);
  if (options_.max_alloc_timeout < 0ms || options_.max_alloc_timeout > limits::alloc_timeout)
    refuse("node.max_alloc_timeout", "node.max_alloc_timeout is from 0s to 10min");
}

void node_config::complete_log() {
  if (const auto what = refusal_of_level(raw_.log_level)) refuse("node.log_level", *what);
  if (const auto what = refusal_of_format(raw_.log_format)) refuse("node.log_format", *what);
  options_.log = {raw_.log_level, raw_.log_format, raw_.log_file, raw_.name};
}

}  // namespace corolla::runtime
