// The executable as scripts see it: exit statuses, and one sentence on standard error.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

using corolla::tests::corolla_executable;
using corolla::tests::process;
using corolla::tests::process_options;
using corolla::tests::run;
using corolla::tests::run_result;
using corolla::tests::temp_dir;
using nlohmann::json;

namespace {

const std::string tiny = std::string{COROLLA_SOURCE_DIR} + "/tests/golden/tiny/llama";

/// A file of config/.
std::string sample(const std::string& name) {
  return std::string{COROLLA_SOURCE_DIR} + "/config/" + name;
}

run_result call(std::vector<std::string> words, const std::string& input = {}, const std::string& folder = {}) {
  words.insert(words.begin(), corolla_executable());
  return run(words, {.environment = {}, .input = input, .folder = folder});
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in{file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// It ended with `status`, said one sentence that holds `part`, and nothing on standard output.
void expect_refusal(const run_result& result, int status, const std::string& part) {
  BOOST_TEST(result.end.is(status), "exit status " << result.end.code << ", not " << status << ": " << result.err);
  BOOST_TEST(result.err.starts_with("corolla: "), result.err);
  BOOST_TEST(result.err.find('\n') == result.err.size() - 1, result.err);
  BOOST_TEST(contains(result.err, part), "\"" << part << "\" is not in: " << result.err);
  BOOST_TEST(result.out == "");
}

std::vector<std::string> generate(std::vector<std::string> more) {
  std::vector<std::string> words{"generate", "--local", "--threads", "1", "--model", tiny, "--max-new-tokens", "4"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

BOOST_AUTO_TEST_CASE(help_and_version_are_done_and_on_standard_output) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"help"},
           {"--help"},
           {"--version"},
           {"help", "generate"},
           {"node", "--help"},
           {"keys", "invite", "--help"}}) {
    const auto result = call(words);
    BOOST_TEST(result.end.is(0), words.front());
    BOOST_TEST(result.out != "");
    BOOST_TEST(result.err == "");
  }
  BOOST_TEST(contains(call({"generate", "--help"}).out, "--max-new-tokens"));
}

BOOST_AUTO_TEST_CASE(wrong_usage_ends_with_2_and_names_what_is_nearest) {
  expect_refusal(call({}), 2, "corolla help");
  expect_refusal(call({"genrate"}), 2, "the nearest is generate");
  expect_refusal(call({"help", "nod"}), 2, "the nearest is node");
  expect_refusal(call(generate({"--prompts", "x"})), 2, "the nearest is --prompt");
  expect_refusal(call({"generate", "--locl", "--model", tiny}), 2, "the nearest is --local");
  expect_refusal(call({"keys", "new-swrm", "x"}), 2, "the nearest is new-swarm");
  expect_refusal(call({"node", "--node.modle=x"}), 2, "the nearest is --node.model");
  expect_refusal(call({"bench", "infrence"}), 2, "the nearest is inference");
  expect_refusal(call({"bench", "chain", "--jitter", "20"}), 2, "0% to 100%");
  expect_refusal(call({"make-model", "bloom-56m", "x"}), 2, "the nearest is bloom-560m");
}

BOOST_AUTO_TEST_CASE(options_that_are_missing_wrong_or_contradictory_end_with_2) {
  expect_refusal(call({"generate", "--local", "--max-new-tokens", "4"}), 2, "--model");
  expect_refusal(call({"generate", "--model", tiny, "--max-new-tokens", "4", "--ids", "1"}), 2, "--peers");
  expect_refusal(call(generate({"--ids", "1", "--prompt", "x"})), 2, "--prompt and --ids");
  expect_refusal(call(generate({"--ids", "1,x"})), 2, "1,2,3");
  expect_refusal(call(generate({"--ids", "1,"})), 2, "1,2,3");
  expect_refusal(call(generate({"--ids", "1", "--dtype", "int8"})), 2, "float32 or bfloat16");
  expect_refusal(call(generate({"--ids", "1", "--peers", "here:1"})), 2, "--local");
  expect_refusal(call(generate({"--ids", "1", "--threads", "none"})), 2, "--threads");
  expect_refusal(call(generate({"--ids", "1", "--swarm", "privat"})), 2, "the nearest is private");
  expect_refusal(
      call({"generate", "--model", tiny, "--max-new-tokens", "4", "--ids", "1", "--peers", "here:1"}), 2, "corolla://");
  const auto somebody = std::string(52, 'a');
  expect_refusal(call(generate({"--ids", "1", "--block", somebody})), 2, "--allow and --block");
  expect_refusal(call(generate({"--ids", "1", "--block", "somebody"})), 2, "--block wants peer ids");
  expect_refusal(call(generate({"--ids", "1", "--allow", somebody + ",x"})), 2, "--allow wants peer ids");
}

BOOST_AUTO_TEST_CASE(how_to_choose_tokens_and_what_to_continue_are_checked_before_a_model_is_read) {
  const auto of_no_model = [](std::vector<std::string> more) {
    std::vector<std::string> words{"generate", "--local", "--model", "/does/not/exist", "--max-new-tokens", "4"};
    words.insert(words.end(), more.begin(), more.end());
    return call(words, "x");
  };
  expect_refusal(of_no_model({"--ids", "1"}), 1, "/does/not/exist");
  expect_refusal(of_no_model({"--ids", ""}), 2, "--ids is empty");
  expect_refusal(of_no_model({"--prompt", ""}), 2, "--prompt");
  expect_refusal(of_no_model({"--temperature", "-1"}), 2, "--temperature must be 0 or greater");
  expect_refusal(of_no_model({"--top-k", "-3"}), 2, "--top-k must be 0 (off) or greater");
  expect_refusal(of_no_model({"--top-p", "2"}), 2, "--top-p must be greater than 0 and at most 1");
  expect_refusal(of_no_model({"--repetition-penalty", "0"}), 2, "--repetition-penalty must be greater than 0");
}

BOOST_AUTO_TEST_CASE(a_fault_proxy_says_what_its_options_want) {
  const auto proxy = [](std::vector<std::string> more) {
    std::vector<std::string> words{"fault-proxy", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:1"};
    words.insert(words.end(), more.begin(), more.end());
    return call(words);
  };
  expect_refusal(call({"fault-proxy", "--to", "127.0.0.1:1"}), 2, "--listen");
  expect_refusal(call({"fault-proxy", "--listen", "here", "--to", "127.0.0.1:1"}), 2, "--listen wants HOST:PORT");
  expect_refusal(call({"fault-proxy", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:0"}), 2, "port 0");
  expect_refusal(proxy({"--dely", "5ms"}), 2, "the nearest is --delay");
  expect_refusal(proxy({"--delay", "50"}), 2, "a time such as 50ms");
  expect_refusal(proxy({"--delay", "50ms", "--jitter", "0.2"}), 2, "0% to 100%");
  expect_refusal(proxy({"--jitter", "20%"}), 2, "--delay");
  expect_refusal(proxy({"--rate", "100MB"}), 2, "100Mbit");
  for (const auto* name : {"--cut", "--cut-after"})
    expect_refusal(proxy({name, "soon"}), 2, "--cut wants bytes such as 20000 or a time such as 5s");
  expect_refusal(proxy({"--half-open", "both", "5s"}), 2, "\"to\" or \"from\"");
  expect_refusal(proxy({"--half-open", "to", "x"}), 2, "--half-open wants bytes");
  expect_refusal(proxy({"--half-open", "to"}), 2, "--half-open");
  expect_refusal(proxy({"--flip-after", "5s"}), 2, "--flip-after wants bytes");
  expect_refusal(call({"fault-proxy", "--listen", "127.0.0.1:0", "--to", "[::1:1"}), 2, "--to");
}

BOOST_AUTO_TEST_CASE(a_route_says_what_its_options_want) {
  const auto somebody = std::string(52, 'a'), peer = "corolla://" + somebody + "@127.0.0.1:1";
  const auto route = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"route", "--model", tiny, "--peers", peer};
    words.insert(words.end(), more.begin(), more.end());
    return call(words);
  };
  expect_refusal(call({"route", "--peers", peer}), 2, "--model");
  expect_refusal(call({"route", "--model", tiny}), 2, "--peers");
  expect_refusal(route({"--explan"}), 2, "the nearest is --explain");
  expect_refusal(route({"--without", "x"}), 2, "--without wants peer ids");
  expect_refusal(route({"--slow", somebody}), 2, "ID=50ms");
  expect_refusal(route({"--slow", somebody + "=50"}), 2, "ID=50ms");
  expect_refusal(route({"--slow", "x=50ms"}), 2, "ID=50ms");
  expect_refusal(route({"--allow", "x"}), 2, "--allow wants peer ids");
  expect_refusal(route({"--swarm", "privat"}), 2, "the nearest is private");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_done_ends_with_1_and_a_sentence) {
  const temp_dir dir;
  const auto empty = dir.write("empty.gguf", "").string();
  expect_refusal(call({"inspect", "/does/not/exist"}), 1, "/does/not/exist");
  expect_refusal(call({"inspect", empty}), 1, "empty.gguf");
  expect_refusal(call({"inspect", dir.path().string()}), 1, dir.path().filename().string());
  expect_refusal(call({"node", "--node.model=" + empty}), 1, "empty.gguf");
  expect_refusal(call({"node", "--node.model=" + tiny, "--node.blocks=0:1000"}), 1, "0:1000");
  expect_refusal(call({"tokenize", "--tokenizer", tiny}), 1, "tokenizer");
  expect_refusal(call({"keys", "show", empty}), 1, "empty.gguf");
  expect_refusal(call({"eval", "--local", "--model", tiny, "--inputs", empty, "--out", "x"}), 1, "empty.gguf");
  expect_refusal(call(generate({"--prompt", "x"})), 1, "--ids");
  expect_refusal(call(generate({"--ids", "999999999"})), 1, "999999999");
}

BOOST_AUTO_TEST_CASE(a_full_disk_behind_standard_output_is_a_failure) {
  const auto result = run({"sh", "-c", "exec \"$0\" help >/dev/full", corolla_executable()});
  expect_refusal(result, 1, "standard output");
}

BOOST_AUTO_TEST_CASE(inspect_tells_a_model_as_text_and_as_json) {
  const auto text = call({"inspect", tiny});
  BOOST_TEST(text.end.is(0), text.err);
  BOOST_TEST(contains(text.out, "llama@"));
  const auto result = json::parse(call({"inspect", tiny, "--json"}).out);
  BOOST_TEST(result.at("family") == "llama");
  BOOST_TEST(result.at("blocks").size() == result.at("num_blocks").get<size_t>());
  BOOST_TEST(result.at("model").at("digest").get<std::string>().size() == 64u);
  const auto parameters = [](const json& part) { return part.at("parameters").get<uint64_t>(); };
  auto sum = parameters(result.at("ends"));
  for (const auto& block : result.at("blocks")) sum += parameters(block);
  BOOST_TEST(sum == parameters(result.at("model")));
}

BOOST_AUTO_TEST_CASE(generate_prints_ids_or_one_object_or_an_object_a_token) {
  const auto plain = call(generate({"--ids", "1,2,3", "--ignore-eos"}));
  BOOST_TEST_REQUIRE(plain.end.is(0), plain.err);
  const auto whole = json::parse(call(generate({"--ids", "1,2,3", "--ignore-eos", "--json"})).out);
  const auto ids = whole.at("ids").get<std::vector<int64_t>>();
  BOOST_TEST(ids.size() == 4u);
  std::string joined;
  for (const auto id : ids) joined += (joined.empty() ? "" : ",") + std::to_string(id);
  BOOST_TEST(plain.out == joined + "\n");
  BOOST_TEST(whole.at("route").at(0).at("peer") == "local");
  BOOST_TEST(whole.at("time_to_first_token_s") > 0.0);
  std::istringstream lines{call(generate({"--ids", "1,2,3", "--ignore-eos", "--json-stream"})).out};
  std::string line;
  for (const auto id : ids) {
    BOOST_TEST_REQUIRE(static_cast<bool>(std::getline(lines, line)));
    const auto token = json::parse(line);
    BOOST_TEST(token.at("id") == id);
    BOOST_TEST(token.at("margin") >= 0.0);
  }
  BOOST_TEST_REQUIRE(static_cast<bool>(std::getline(lines, line)));
  BOOST_TEST(json::parse(line).at("ids") == whole.at("ids"));
}

BOOST_AUTO_TEST_CASE(a_made_model_tokenizes_generates_and_scores) {
  const temp_dir dir;
  const auto model = (dir / "model").string();
  const auto made = call({"make-model", "--small", "bloom-560m", model, "--seed", "5"});
  BOOST_TEST_REQUIRE(made.end.is(0), made.err);
  expect_refusal(call({"make-model", "--small", "bloom-560m", model}), 1, model);
  const auto ids = call({"tokenize", "--tokenizer", model}, "\"a cat sat\"\n\"\xc3\xa9\"\n");
  BOOST_TEST_REQUIRE(ids.end.is(0), ids.err);
  const auto text = call({"tokenize", "--tokenizer", model, "--decode"}, ids.out);
  BOOST_TEST(text.out == "\"a cat sat\"\n\"\xc3\xa9\"\n");
  expect_refusal(call({"tokenize", "--tokenizer", model}, "[1]\n"), 1, "line 1 of standard input");
  const auto arguments = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"generate", "--local", "--model", model, "--max-new-tokens", "5", "--ignore-eos"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const auto from_option = call(arguments({"--prompt", "-a cat"}));
  BOOST_TEST(from_option.end.is(0), from_option.err);
  BOOST_TEST(call(arguments({}), "-a cat\n").out == from_option.out);
  expect_refusal(call(arguments({}), ""), 1, "empty");
}

BOOST_AUTO_TEST_CASE(eval_writes_tensors_and_prints_the_perplexity) {
  const temp_dir dir;
  const auto out = (dir / "out.safetensors").string();
  const auto golden = tiny + "/golden.safetensors";
  const auto result =
      call({"eval", "--local", "--threads", "1", "--model", tiny, "--inputs", golden, "--out", out, "--hidden"});
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  const auto scores = json::parse(result.out);
  BOOST_TEST(scores.at("perplexity") > 1.0);
  BOOST_TEST(scores.at("tokens") > 0);
  BOOST_TEST(std::filesystem::file_size(out) > 1000u);
}

BOOST_AUTO_TEST_CASE(keys_make_a_swarm_invite_a_peer_and_show_both) {
  const temp_dir dir;
  const auto key = (dir / "swarm.key").string(), identity = (dir / "id.key").string();
  const auto swarm = call({"keys", "new-swarm", key});
  BOOST_TEST_REQUIRE(swarm.end.is(0), swarm.err);
  BOOST_TEST(swarm.out.starts_with("swarm-"));
  expect_refusal(call({"keys", "new-swarm", key}), 1, "exists");
  const auto shown = call({"keys", "show", identity, "--make"});
  BOOST_TEST_REQUIRE(shown.end.is(0), shown.err);
  const auto peer = shown.out.substr(std::strlen("peer "), 52);
  const auto invitation = call({"keys", "invite", peer, "--key", key, "--role", "server", "--expires", "30d"});
  BOOST_TEST_REQUIRE(invitation.end.is(0), invitation.err);
  const auto certificate = dir.write("certificate", invitation.out).string();
  const auto told = call({"keys", "show", certificate});
  for (const auto& part : {peer, swarm.out, std::string{"role server\n"}, std::string{"valid yes\n"}})
    BOOST_TEST(contains(told.out, part), part);
  expect_refusal(call({"keys", "invite", "nobody", "--key", key}), 2, "no peer id");
  expect_refusal(call({"keys", "invite", peer, "--key", key, "--role", "servr"}), 2, "the nearest is server");
  expect_refusal(call({"keys", "invite", peer, "--key", key, "--expires", "soon"}), 2, "30d");
  expect_refusal(call({"keys", "invite", peer, "--key", identity + "x"}), 1, identity + "x");
}

BOOST_AUTO_TEST_CASE(keys_are_made_used_and_shown_where_one_is_when_no_file_is_named) {
  const temp_dir dir;
  const auto here = [&](const std::vector<std::string>& words) { return call(words, {}, dir.path().string()); };
  expect_refusal(here({"keys", "show"}), 1, "swarm.key does not exist");
  const auto swarm = here({"keys", "new-swarm"});
  BOOST_TEST_REQUIRE(swarm.end.is(0), swarm.err);
  const auto key = content(dir / "swarm.key");
  expect_refusal(here({"keys", "new-swarm"}), 1, "swarm.key exists");
  BOOST_TEST(content(dir / "swarm.key") == key);
  const auto shown = here({"keys", "show"});
  BOOST_TEST(contains(shown.out, "as a swarm's key " + swarm.out), shown.out);
  // --make is for an identity, which has no name of its own.
  expect_refusal(here({"keys", "show", "--make"}), 2, "FILE");
  const auto peer = here({"keys", "show", "id.key", "--make"}).out.substr(std::strlen("peer "), 52);
  const auto invitation = here({"keys", "invite", peer, "--role", "server", "--expires", "30d"});
  BOOST_TEST_REQUIRE(invitation.end.is(0), invitation.err);
  const auto told = here({"keys", "show", dir.write("certificate", invitation.out).string()});
  for (const auto& part : {peer, swarm.out, std::string{"role server\n"}, std::string{"valid yes\n"}})
    BOOST_TEST(contains(told.out, part), part);
  const temp_dir empty;
  expect_refusal(call({"keys", "invite", peer, "--role", "server"}, {}, empty.path().string()), 1, "swarm.key");
}

BOOST_AUTO_TEST_CASE(a_dumped_configuration_is_read_back) {
  const temp_dir dir;
  const auto dumped = call(
      {"node", "--config-file=" + sample("node.ini"), "--node.model=" + tiny, "--node.blocks=1:3",
       "--node.liveness=750ms", "--node.name=a \"quoted\" name", "--dump-config"});
  BOOST_TEST_REQUIRE(dumped.end.is(0), dumped.err);
  for (const auto& line :
       {"model=\"" + tiny + "\"\n", std::string{"blocks=\"1:3\"\n"}, std::string{"liveness=750ms\n"},
        std::string{"cache_tokens=4096\n"}, std::string{"\n[scheduler]\n"}})
    BOOST_TEST(contains(dumped.out, line), line << " is not in:\n" << dumped.out);
  const auto file = dir.write("dump.ini", dumped.out).string();
  const auto again = call({"node", "--config-file=" + file, "--dump-config"});
  BOOST_TEST_REQUIRE(again.end.is(0), again.err);
  BOOST_TEST(again.out == dumped.out);
  // And a node starts with it.
  process node{{corolla_executable(), "node", "--config-file=" + file}};
  const auto ready = node.wait_for_line("ready ", std::chrono::seconds{60});
  BOOST_TEST(contains(ready, " blocks=1:3 "), ready);
}

BOOST_AUTO_TEST_CASE(the_sample_file_of_a_node_needs_a_model_and_says_so) {
  const auto file = sample("node.ini");
  const auto refused = call({"node", "--config-file=" + file, "--node.blocks=0:10"});
  expect_refusal(refused, 2, file + ":");
  BOOST_TEST(contains(refused.err, "a node needs a model: add --node.model=PATH"), refused.err);
  process node{{corolla_executable(), "node", "--config-file=" + file, "--node.blocks=0:2", "--node.model=" + tiny}};
  BOOST_TEST(contains(node.wait_for_line("ready ", std::chrono::seconds{60}), " blocks=0:2 "));
}

BOOST_AUTO_TEST_CASE(the_sample_file_of_a_client_is_taken_as_it_is_and_with_all_that_it_shows) {
  const temp_dir dir;
  const auto with_file = [](const std::string& file) {
    return call(generate({"--ids", "1,2,3", "--ignore-eos", "--config-file=" + file}));
  };
  const auto plain = call(generate({"--ids", "1,2,3", "--ignore-eos"}));
  const auto sampled = with_file(sample("client.ini"));
  BOOST_TEST(sampled.end.is(0), sampled.err);
  BOOST_TEST(sampled.out == plain.out);
  auto text = content(sample("client.ini"));
  const auto replace = [&](const std::string& what, const std::string& by) {
    const auto at = text.find(what);
    BOOST_TEST_REQUIRE(at != std::string::npos, what);
    text.replace(at, what.size(), by);
  };
  // What it says is looked at.
  replace("chunk-tokens=64", "chunk-tokens=0");
  expect_refusal(with_file(dir.write("changed.ini", text).string()), 2, "chunk-tokens");
  replace("chunk-tokens=0", "chunk-tokens=64");
  const auto id = std::string(52, 'a');
  for (const auto& name : {"allow", "block"})
    replace("; " + std::string{name} + "=\"ID,ID\"", std::string{name} + "=\"" + id + ',' + id + '"');
  replace("; peers=\"corolla://ID@HOST:PORT\"", "peers=\"corolla://" + id + "@127.0.0.1:1\"");
  expect_refusal(
      with_file(dir.write("all.ini", text).string()), 2, "--local runs the model here, and --peers elsewhere");
}

BOOST_AUTO_TEST_CASE(a_measurement_in_json_is_an_object_a_row_with_these_keys_and_no_others) {
  const auto result = call({"bench", "plan", "--json"});
  BOOST_TEST_REQUIRE(result.end.is(0), result.err);
  std::istringstream lines{result.out};
  size_t rows = 0;
  for (std::string line; std::getline(lines, line); ++rows) {
    const auto row = json::parse(line);
    std::set<std::string> keys;
    for (const auto& [key, value] : row.items()) keys.insert(key);
    BOOST_TEST((keys == std::set<std::string>{"row", "value", "unit", "limit", "ratio", "samples"}), row);
    BOOST_TEST(row.at("row").is_string());
    BOOST_TEST(row.at("value").is_number());
    BOOST_TEST(row.at("unit") == "ms");
    BOOST_TEST(row.at("limit").is_number());
    BOOST_TEST(row.at("ratio").is_null());
    BOOST_TEST(row.at("samples").is_number_unsigned());
  }
  BOOST_TEST(rows > 0u);
}
