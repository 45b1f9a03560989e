#include <algorithm>
#include <charconv>
#include <iostream>
#include <iterator>
#include <optional>

#include <unistd.h>
#include <nlohmann/json.hpp>

#include "actors/wire/limits.hpp"
#include "runtime/commands/client_flags.hpp"
#include "runtime/commands/parse.hpp"
#include "runtime/errors.hpp"
#include "runtime/signals.hpp"

namespace corolla::runtime::commands {
namespace {

using std::chrono::steady_clock;

/// How long a client may take to close its session after Ctrl-C: longer than a link to a peer that says nothing lives.
constexpr auto end_patience = actors::wire::limits::unproved_time + std::chrono::seconds{2};

enum class format { text, json, json_stream };

struct generate_flags {
  client_flags client;
  std::optional<std::string> prompt, ids;
  model::generation_request request;
  std::string stop_ids;
  bool json = false, json_stream = false;

  void add_to(CLI::App& app);
  format output() const { return json_stream ? format::json_stream : json ? format::json : format::text; }
};

void generate_flags::add_to(CLI::App& app) {
  client.add_to(app);
  auto& sampling = request.sampling;
  app.add_option("--prompt", prompt, "text to continue; without it and --ids: standard input");
  app.add_option("--ids", ids, "ids to continue, \"1,2,3\"");
  app.add_option("--max-new-tokens", request.max_new_tokens, "most tokens to add")
      ->required()
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--temperature", sampling.temperature, "0: the likeliest token each time")->capture_default_str();
  app.add_option("--top-k", sampling.top_k, "chooses among so many of the likeliest; 0: all")->capture_default_str();
  app.add_option("--top-p", sampling.top_p, "chooses among the likeliest that have so much of the probability")
      ->capture_default_str();
  app.add_option("--repetition-penalty", sampling.repetition_penalty, "above 1: tokens that were there are less likely")
      ->capture_default_str();
  app.add_option("--seed", sampling.seed, "the same seed gives the same choices")->capture_default_str();
  app.add_option("--stop", request.stop, "text that ends it and is not shown; may be given again")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--stop-ids", stop_ids, "ids that end it, \"1,2,3\"");
  app.add_flag("--ignore-eos", request.ignore_eos, "goes on after the model's end of text");
  app.add_flag("--json", json, "prints one object at the end: ids, text, times, route and what of it was replaced");
  app.add_flag(
      "--json-stream", json_stream,
      "prints an object a token as it comes, with id, text, t_ms and margin (the first also with the route), and the "
      "same object at the end; their texts together are the whole text");
}

/// "1,2,3"
std::vector<int64_t> parse_ids(const std::string& option, const std::string& text) {
  std::vector<int64_t> ids;
  const auto* at = text.data();
  const auto* end = at + text.size();
  while (at != end) {
    int64_t id = 0;
    const auto [behind, error] = std::from_chars(at, end, id);
    const auto more = behind != end && *behind == ',';
    if (error != std::errc{} || (behind != end && !more) || (more && behind + 1 == end))
      throw usage_error(option + " wants numbers with commas between, such as 1,2,3, not \"" + text + "\"");
    ids.push_back(id);
    at = more ? behind + 1 : behind;
  }
  return ids;
}

/// Throws usage_error: "--top-p must be ...".
void check_sampling(const model::sampling_params& sampling) {
  try {
    model::check(sampling);
  } catch (const std::invalid_argument& error) {
    std::string what = error.what();
    std::replace(what.begin(), what.end(), '_', '-');
    throw usage_error("--" + what);
  }
}

std::string read_standard_input() {
  if (::isatty(STDIN_FILENO) == 1) std::cerr << "(type the text to continue; Ctrl-D ends it)\n";
  std::string text{std::istreambuf_iterator<char>{std::cin}, {}};
  if (text.ends_with('\n')) text.pop_back();  // which `echo` adds
  return text;
}

nlohmann::ordered_json to_json(const std::vector<route_hop>& hops) {
  auto route = nlohmann::ordered_json::array();
  for (const auto& hop : hops) route.push_back({{"peer", hop.peer}, {"blocks", {hop.begin, hop.end}}, {"ms", hop.ms}});
  return route;
}

nlohmann::ordered_json to_json(const generated& result) {
  auto ms = [](std::chrono::microseconds time) { return static_cast<double>(time.count()) / 1000; };
  auto recoveries = nlohmann::ordered_json::array();
  for (const auto& r : result.recoveries)
    recoveries.push_back(
        {{"blocks", {r.begin, r.end}},
         {"late", r.late},
         {"moved", r.moved},
         {"handed_over", r.handed_over},
         {"restored_tokens", r.restored_tokens},
         {"opening_ms", ms(r.opening)},
         {"restoring_ms", ms(r.restoring)},
         {"switching_ms", ms(r.switching)}});
  return {
      {"ids", result.ids},
      {"text", result.text},
      {"time_to_first_token_s", result.time_to_first_token_s},
      {"tokens_per_s", result.tokens_per_s},
      {"route", to_json(result.route)},
      {"recoveries", std::move(recoveries)}};
}

void print(const nlohmann::ordered_json& object) {
  std::cout << object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
}

/// Shows tokens as they come.
class printer {
 public:
  printer(format output, bool has_text) : output_(output), has_text_(has_text) {}

  void operator()(const model::generated_token& token) {
    if (output_ == format::text && has_text_)
      std::cout << token.text << std::flush;
    else if (output_ == format::text)
      std::cout << (std::exchange(first_, false) ? "" : ",") << token.id << std::flush;
    else if (output_ == format::json_stream)
      print(to_json(token));
  }

  /// Told with the first token.
  void take(const std::vector<route_hop>& route) { route_ = route; }

  void finish(const generated& result) const {
    if (output_ == format::text)
      std::cout << '\n';
    else
      print(commands::to_json(result));
  }

 private:
  nlohmann::ordered_json to_json(const model::generated_token& token) {
    nlohmann::ordered_json object{
        {"id", token.id}, {"text", token.text}, {"t_ms", elapsed_ms()}, {"margin", token.margin}};
    if (const auto route = std::exchange(route_, {}); !route.empty()) object["route"] = commands::to_json(route);
    return object;
  }
  double elapsed_ms() const { return std::chrono::duration<double, std::milli>(steady_clock::now() - begun_).count(); }

  format output_;
  bool has_text_;
  bool first_ = true;
  std::vector<route_hop> route_;
  steady_clock::time_point begun_ = steady_clock::now();
};

std::vector<int64_t> encode(const std::string& prompt, const model::tokenizer* tokenizer) {
  if (tokenizer == nullptr) throw client_error("the model brings no tokenizer: give the prompt as --ids");
  auto ids = tokenizer->encode(prompt, /*add_special=*/true);
  if (ids.empty()) throw client_error("the prompt is empty");
  return ids;
}

}  // namespace

int generate(const arguments& args) {
  CLI::App app{
      "Continues a text.  The new text goes to standard output as it comes.  Ctrl-C closes the session on the servers; "
      "the exit "
      "status is then 1.",
      "generate"};
  generate_flags flags;
  flags.add_to(app);
  if (!parse(app, join_text(args, {"--prompt", "--stop"}))) return exit_done;
  if (flags.prompt && flags.ids) throw usage_error("--prompt and --ids are two ways to say what to continue: give one");
  const auto options = flags.client.options();
  check_sampling(flags.request.sampling);
  flags.request.stop_ids = parse_ids("--stop-ids", flags.stop_ids);
  if (flags.ids) flags.request.prompt = parse_ids("--ids", *flags.ids);
  if (flags.ids && flags.request.prompt.empty())
    throw usage_error("--ids is empty: name the ids to continue, such as 1,2,3");
  if (!flags.ids && !flags.prompt) flags.prompt = read_standard_input();
  std::stop_source stop;
  // Before the client's threads are made.
  const signal_watch signals{[&stop](int) {
    stop.request_stop();
    return end_patience;
  }};
  const auto runner = client::make(options);
  const auto tokenizer = runner->tokenizer();
  if (flags.prompt) flags.request.prompt = encode(*flags.prompt, tokenizer.get());
  printer show{flags.output(), tokenizer != nullptr};
  const auto result = runner->generate(
      flags.request, std::ref(show), stop.get_token(),
      [&show](const std::vector<route_hop>& route) { show.take(route); });
  show.finish(result);
  return exit_done;
}

}  // namespace corolla::runtime::commands
