// What a swarm does not do, and the sentence that says so.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <span>
#include <string>
#include <vector>

#include "bound_port.hpp"
#include "golden.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

namespace {

namespace fs = std::filesystem;

constexpr int failed = 1, wrong_usage = 2;
/// An id that no peer has: a hash of nothing in particular.
const std::string nobody(52, 'a');

/// One sentence on standard error with every one of `parts`, the exit status, and nothing on standard output.
void check_refusal(const run_result& result, const std::vector<std::string>& parts, int status = failed) {
  BOOST_TEST_CONTEXT(result.err) {
    BOOST_TEST(result.end.is(status));
    BOOST_TEST(result.out == "");
    BOOST_TEST(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    for (const auto& part : parts) BOOST_TEST(result.err.find(part) != std::string::npos, part);
  }
}

run_result generate(const fs::path& model, const std::string& peers) {
  return run_corolla({"generate", "--model", model, "--peers", peers, "--ids", "5,6", "--max-new-tokens", "3"});
}

run_result start_node(const fs::path& model, const std::vector<std::string>& options) {
  std::vector<std::string> words{"node", "--node.model=" + model.string(), "--node.threads=1"};
  words.insert(words.end(), options.begin(), options.end());
  return run_corolla(words);
}

/// The same model, by name and shape, with one number of block 3 changed.
void copy_with_other_weights(const fs::path& from, const fs::path& to) {
  fs::create_directory(to);
  fs::copy_file(from / "config.json", to / "config.json");
  std::ifstream in{from / "model.safetensors", std::ios::binary};
  std::string bytes{std::istreambuf_iterator<char>{in}, {}};
  const auto entries = model::parse_safetensors(std::as_bytes(std::span{bytes}), from.string());
  const auto changed = std::find_if(entries.begin(), entries.end(), [](const model::safetensors_entry& entry) {
    return entry.name == "model.layers.3.mlp.down_proj.weight";
  });
  bytes.at(changed->begin) ^= 1;
  std::ofstream{to / "model.safetensors", std::ios::binary} << bytes;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_text_longer_than_the_model_has_positions_is_refused_with_both_numbers) {
  const swarm s{tiny_model("llama"), {"0:4"}};
  check_refusal(s.run("generate", continuation({1, 2, 3}, 255)), {"need 257 positions", "has 256"});
  BOOST_TEST(s.run("generate", continuation({1, 2, 3}, 254)).end.is(0));
}

BOOST_AUTO_TEST_CASE(a_text_to_evaluate_that_is_longer_than_the_model_has_positions_is_refused_with_both_numbers) {
  const swarm s{tiny_model("llama"), {"0:4"}};
  const temp_dir folder;
  const auto out = folder / "out.safetensors";
  const auto with_tokens = [&](int64_t tokens) {
    const auto in = folder / "in.safetensors";
    const std::vector<int64_t> ids(static_cast<size_t>(tokens), 5);
    model::write_safetensors(in, {{"input_ids", model::tensor::of<int64_t>({1, tokens}, ids)}});
    return std::vector<std::string>{"--inputs", in, "--out", out};
  };
  const auto here = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"eval", "--local", "--model", s.model(), "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return run_corolla(words);
  };
  check_refusal(here(with_tokens(257)), {"257 tokens", "256 positions"});
  check_refusal(s.run("eval", with_tokens(257)), {"max_length 257", "the model has 256 positions"});
  BOOST_TEST(!fs::exists(out));
  BOOST_TEST(here(with_tokens(256)).end.is(0));
  BOOST_TEST(s.run("eval", with_tokens(256)).end.is(0));
}

BOOST_AUTO_TEST_CASE(a_session_longer_than_a_server_takes_is_refused_with_both_numbers) {
  swarm s{tiny_model("bloom"), {"0:4"}, {"--node.max_length=64"}};
  check_refusal(
      s.run("generate", continuation({1, 2, 3}, 63)), {s.servers()[0].peer(), "max_length 65", "at most 64 positions"});
  BOOST_TEST(s.run("generate", continuation({1, 2, 3}, 62)).end.is(0));
}

BOOST_AUTO_TEST_CASE(a_session_that_no_cache_can_hold_is_refused_at_once_with_the_room_that_is_left) {
  swarm s{tiny_model("bloom"), {"0:4"}, {"--node.cache_tokens=64"}};
  auto words = continuation({1, 2, 3}, 63);
  // It would wait longer than this test does.
  words.insert(words.end(), {"--alloc-timeout-ms", "600000"});
  check_refusal(s.run("generate", words), {"needs 80 tokens of cache", "64 of 64 are free"});
  BOOST_TEST(s.run("generate", continuation({1, 2, 3}, 62)).end.is(0));
}

BOOST_AUTO_TEST_CASE(blocks_that_nobody_serves_are_named) {
  const swarm s{tiny_model("llama"), {"0:1", "3:4"}};
  check_refusal(s.run("generate", continuation({1, 2, 3}, 4)), {"blocks 1:3 have no server"});
}

BOOST_AUTO_TEST_CASE(a_route_keeps_to_the_users_lists_and_names_the_one_that_left_a_gap) {
  swarm s{tiny_model("llama"), {"0:4", "0:2", "2:4"}};
  const auto peer = [&](size_t i) { return s.servers()[i].peer(); };
  const auto with = [&](const std::vector<std::string>& lists) {
    auto words = continuation({1, 2, 3}, 4);
    words.insert(words.end(), lists.begin(), lists.end());
    return s.run("generate", words);
  };
  const auto blocked = with({"--block", peer(0), "--json"});
  BOOST_TEST(blocked.end.is(0), blocked.err);
  BOOST_TEST(blocked.out.find(peer(0)) == std::string::npos);
  BOOST_TEST(blocked.out.find(peer(1)) != std::string::npos);
  const auto allowed = with({"--allow", peer(1) + ',' + peer(2), "--json"});
  BOOST_TEST(allowed.end.is(0), allowed.err);
  BOOST_TEST(allowed.out.find(peer(0)) == std::string::npos);
  check_refusal(
      with({"--block", peer(0) + ',' + peer(2)}), {"blocks 2:4 have no server", "the block list leaves out", "serves"});
  check_refusal(with({"--allow", peer(2)}), {"blocks 0:2 have no server", "the allow list leaves out"});
}

BOOST_AUTO_TEST_CASE(other_weights_under_the_same_name_are_never_chained) {
  const temp_dir folder;
  const auto original = tiny_model("llama"), changed = folder / "llama";
  copy_with_other_weights(original, changed);
  const swarm s{original, {"0:2"}};
  server other{changed, {"--node.blocks=2:4", "--node.peers=[\"" + s.address() + "\"]"}};
  other.wait_until_ready();
  swarm whole{original, {"0:4"}};
  BOOST_TEST(other.model() != whole.servers()[0].model());
  check_refusal(
      s.run("generate", continuation({1, 2, 3}, 4)),
      {"blocks 2:4 have no server", other.peer(), other.model(), whole.servers()[0].model()});
}

BOOST_AUTO_TEST_CASE(a_client_of_another_model_is_told_both) {
  swarm s{tiny_model("llama"), {"0:4"}};
  const auto result = generate(tiny_model("bloom"), s.address());
  check_refusal(result, {"blocks 0:4 have no server", s.servers()[0].model()});
  BOOST_TEST(std::regex_search(result.err, std::regex{"bloom@[0-9a-f]{6}"}));
}

BOOST_AUTO_TEST_CASE(a_name_with_control_characters_and_spaces_reaches_no_terminal) {
  const temp_dir folder;
  const auto named = folder / "a\x1b[31m b\nc";
  copy_with_other_weights(tiny_model("llama"), named);
  swarm s{named, {"0:4"}};
  auto& line = s.servers()[0].ready_line();
  BOOST_TEST(line.find(" model=a?[31m_b?c@") != std::string::npos, line);
  BOOST_TEST(line.find(" blocks=0:4 ") != std::string::npos, line);
  check_refusal(generate(tiny_model("bloom"), s.address()), {"blocks 0:4 have no server", "a?[31m b?c@"});
  check_refusal(generate(folder / "none\x1b[31m", s.address()), {"none?[31m"});
}

BOOST_AUTO_TEST_CASE(a_peer_that_cannot_prove_the_id_dialled_is_refused_with_both_ids) {
  swarm s{tiny_model("llama"), {"0:4"}};
  auto& only = s.servers()[0];
  check_refusal(generate(s.model(), "corolla://" + nobody + '@' + only.host_port()), {only.peer(), nobody});
}

BOOST_AUTO_TEST_CASE(a_port_where_nobody_listens_is_named) {
  const bound_port port;
  const auto at = "127.0.0.1:" + std::to_string(port.number());
  check_refusal(generate(tiny_model("llama"), "corolla://" + nobody + '@' + at), {at, "refused"});
  check_refusal(
      start_node(tiny_model("llama"), {"--node.port=0", "--node.peers=[\"corolla://" + nobody + '@' + at + "\"]"}),
      {"none of the given peers answered", at});
}

BOOST_AUTO_TEST_CASE(one_address_that_answers_suffices) {
  const swarm s{tiny_model("llama"), {"0:4"}};
  const bound_port port;
  const auto dead = "corolla://" + nobody + "@127.0.0.1:" + std::to_string(port.number());
  BOOST_TEST(generate(s.model(), dead + ',' + s.address()).end.is(0));
  BOOST_TEST(generate(s.model(), s.address() + ',' + dead).end.is(0));
  server second{s.model(), {"--node.peers=[\"" + dead + "\",\"" + s.address() + "\"]"}};
  BOOST_CHECK_NO_THROW(second.wait_until_ready());
}

BOOST_AUTO_TEST_CASE(a_node_whose_port_is_taken_says_so) {
  const bound_port port;
  const auto number = std::to_string(port.number());
  check_refusal(start_node(tiny_model("llama"), {"--node.port=" + number}), {"127.0.0.1:" + number, "in use"});
}

BOOST_AUTO_TEST_CASE(a_local_swarm_does_not_listen_beyond_this_machine) {
  check_refusal(
      start_node(tiny_model("llama"), {"--node.port=0", "--node.host=0.0.0.0"}),
      {"0.0.0.0", "--node.swarm=private", "--node.swarm=open"}, wrong_usage);
}

BOOST_AUTO_TEST_CASE(a_model_that_is_not_there_is_named) {
  const temp_dir folder;
  const auto missing = folder / "nothing";
  swarm s{tiny_model("llama"), {"0:4"}};
  check_refusal(generate(missing, s.address()), {missing, "does not exist"});
  check_refusal(start_node(missing, {"--node.port=0"}), {missing, "does not exist"});
}

BOOST_AUTO_TEST_CASE(blocks_that_the_model_does_not_have_are_refused) {
  check_refusal(
      start_node(tiny_model("llama"), {"--node.port=0", "--node.blocks=2:9"}), {"blocks 2:9", "has blocks 0:4"});
}

}  // namespace corolla::tests
