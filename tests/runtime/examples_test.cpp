// What the examples show is true: each is run as a newcomer runs it.
#include <sstream>
#include <string>
#include <vector>

#include <csignal>

#include <boost/test/unit_test.hpp>

#include "tests/support/listening.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

using corolla::tests::corolla_executable;
using corolla::tests::port_of;
using corolla::tests::process;
using corolla::tests::run;
using corolla::tests::somebody_listens;
using corolla::tests::temp_dir;
using namespace std::chrono_literals;

namespace {

const std::string source_dir = COROLLA_SOURCE_DIR;

/// A random model in the shape of BLOOM-560M, but small.
struct made_model {
  temp_dir dir;
  std::string path = (dir / "bloom").string();

  made_model() {
    const auto made =
        run({source_dir + "/scripts/make_bench_models", "--small", "bloom-560m", path},
            {.environment = {"COROLLA=" + corolla_executable()}, .input = {}, .folder = {}});
    BOOST_TEST_REQUIRE(made.end.is(0), made.err);
  }
};

const made_model& model() {
  static const made_model made;
  return made;
}

process getting_started() {
  return process{
      {source_dir + "/examples/getting_started.sh", model().path},
      {.environment = {"COROLLA=" + corolla_executable(), "COROLLA_PORT=0"}, .input = {}, .folder = {}}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in{text};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// `corolla node` with all blocks; its address.
std::string address_of(process& node) {
  const auto ready = node.wait_for_line("ready ", 60s);
  return ready.substr(6, ready.find(' ', 6) - 6);
}

}  // namespace

BOOST_AUTO_TEST_CASE(getting_started_generates_over_three_servers_and_ends_them) {
  auto script = getting_started();
  std::vector<uint16_t> ports;
  for (const auto* blocks : {"blocks=0:8", "blocks=8:16", "blocks=16:24"}) {
    const auto ready = script.wait_for_line("ready ", 60s);
    BOOST_TEST(ready.find(blocks) != ready.npos, ready);
    ports.push_back(port_of(ready));
  }
  const auto text = script.wait_for_line("a cat sat", 60s);
  const auto end = script.wait(30s);
  BOOST_TEST(end.is(0), script.errors());
  for (const auto port : ports) BOOST_TEST(!somebody_listens(port));
  const auto local = run(
      {corolla_executable(), "generate", "--local", "--threads", "1", "--model", model().path, "--prompt", "a cat sat",
       "--max-new-tokens", "10"});
  BOOST_TEST(text + "\n" + script.output() == "a cat sat" + local.out);
}

BOOST_AUTO_TEST_CASE(getting_started_that_is_stopped_half_way_ends_its_servers) {
  auto script = getting_started();
  const auto port = port_of(script.wait_for_line("ready ", 60s));
  BOOST_TEST(somebody_listens(port));
  script.signal(SIGTERM);
  BOOST_TEST(script.wait(30s).is(143));
  BOOST_TEST(!somebody_listens(port));
}

BOOST_AUTO_TEST_CASE(the_failover_proof_kills_a_server_and_loses_no_token) {
  const auto proof =
      run({source_dir + "/examples/failover_proof.sh", model().path, "200", "50"},
          {.environment = {"COROLLA=" + corolla_executable()}, .input = {}, .folder = {}});
  BOOST_TEST(proof.end.is(0), proof.err);
  const auto lines = lines_of(proof.out);
  BOOST_TEST_REQUIRE(lines.size() == 8u);
  BOOST_TEST(lines[6].starts_with("replaced: {\"blocks\":[8,16],"), lines[6]);
  BOOST_TEST(lines[7] == "the same 200 tokens");
}

BOOST_AUTO_TEST_CASE(the_embedded_client_says_the_same_locally_and_through_a_server) {
  const auto embed_client = std::string{COROLLA_BINARY_DIR} + "/examples/embed_client";
  const auto local = run({embed_client, model().path, "a cat sat"});
  BOOST_TEST_REQUIRE(local.end.is(0), local.err);
  const auto lines = lines_of(local.out);
  BOOST_TEST_REQUIRE(lines.size() >= 2u);
  process node{{corolla_executable(), "node", "--node.model=" + model().path, "--node.threads=1"}};
  const auto remote = run({embed_client, model().path, "a cat sat", address_of(node)});
  BOOST_TEST(remote.end.is(0), remote.err);
  BOOST_TEST(remote.out == local.out);
}

BOOST_AUTO_TEST_CASE(an_interrupted_generate_ends_with_1_and_frees_the_servers_cache) {
  process node{
      {corolla_executable(), "node", "--node.model=" + model().path, "--node.threads=1", "--node.cache_tokens=2048"}};
  const auto address = address_of(node);
  // As long as the whole cache: the second fits only when nothing of the first is left.
  const auto generate = [&] {
    return process{
        {corolla_executable(), "generate", "--model", model().path, "--peers", address, "--ids", "1,2,3",
         "--max-new-tokens", "2000", "--ignore-eos", "--json-stream", "--threads", "1"}};
  };
  for (auto round = 0; round < 2; ++round) {
    auto client = generate();
    BOOST_TEST_REQUIRE(client.read_line(60s).value_or("").starts_with("{\"id\":"), client.errors());
    client.signal(SIGINT);
    BOOST_TEST(client.wait(10s).is(1));
    BOOST_TEST(client.errors().starts_with("corolla: interrupted"), client.errors());
  }
  node.signal(SIGTERM);
  BOOST_TEST(node.wait(10s).is(0), node.errors());
  BOOST_TEST(node.output() == "");
}
