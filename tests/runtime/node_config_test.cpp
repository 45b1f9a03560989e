#include "runtime/node_config.hpp"

#include <array>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>
#include <caf/atom.hpp>

#include "runtime/errors.hpp"
#include "tests/support/temp_dir.hpp"

using namespace corolla::runtime;
using namespace std::chrono_literals;
using corolla::tests::temp_dir;

namespace {

using arguments = std::vector<std::string>;

const std::string id(52, 'a');
const std::string address = "corolla://" + id + "@127.0.0.1:31337";

node_options read(const arguments& args) {
  node_config config;
  BOOST_TEST_REQUIRE((config.read(args) == node_config::request::run));
  return config.options();
}

std::string refusal(const arguments& args) {
  try {
    node_config config;
    config.read(args);
  } catch (const usage_error& error) {
    return error.what();
  }
  return "(taken)";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_model_alone_makes_a_node_on_loopback_with_defaults) {
  const auto options = read({"--node.model=m"});
  BOOST_TEST(options.model == "m");
  BOOST_TEST(!options.blocks);
  BOOST_TEST(options.host == "127.0.0.1");
  BOOST_TEST(options.port == 0);
  BOOST_TEST((options.liveness == 5s));
  BOOST_TEST(options.threads >= 1u);
  BOOST_TEST(options.swarm.kind == "local");
  BOOST_TEST(options.log.level == "info");
}

BOOST_AUTO_TEST_CASE(a_node_without_blocks_needs_no_model_and_takes_none) {
  BOOST_TEST(read({"--node.model=m"}).serve);
  BOOST_TEST(!read({"--node.serve=false"}).serve);
  BOOST_TEST(contains(refusal({"--node.serve=true"}), "--node.serve=false"));
  BOOST_TEST(contains(refusal({"--node.serve=no"}), "--node.serve wants true or false, not \"no\""));
  for (const auto* option : {"--node.model=m", "--node.blocks=0:1", "--node.cache_tokens=64", "--node.dtype=bfloat16"})
    BOOST_TEST(contains(refusal({"--node.serve=false", option}), "node.serve is false"), option);
  const temp_dir dir;
  const auto file = dir.write("node.ini", "[node]\nserve=false\n\nblocks=\"2:5\"\ncache_tokens=4096\n").string();
  BOOST_TEST(
      refusal({"--config-file=" + file}) ==
      file + ":4: node.blocks is for a node that serves blocks, and node.serve is false");
  BOOST_TEST(read({"--config-file=" + file, "--node.serve=true", "--node.model=m"}).serve);
}

BOOST_AUTO_TEST_CASE(a_file_sets_options_and_the_command_line_wins) {
  const temp_dir dir;
  const auto file = dir.write(
      "node.ini", "[node]\nmodel=\"m\"\nblocks=\"2:5\"\nport=31337\npeers=[\"" + address + "\"]\nliveness=500ms\n");
  const auto from_file = read({"--config-file=" + file.string()});
  BOOST_TEST((from_file.blocks == corolla::model::block_range{2, 5}));
  BOOST_TEST(from_file.port == 31337);
  BOOST_TEST(from_file.peers == std::vector{address});
  BOOST_TEST((from_file.liveness == 500ms));
  const auto overridden =
      read({"--config-file=" + file.string(), "--node.blocks=0:10", "--node.port=0", "--node.peers=[]"});
  BOOST_TEST((overridden.blocks == corolla::model::block_range{0, 10}));
  BOOST_TEST(overridden.port == 0);
  BOOST_TEST(overridden.peers.empty());
  BOOST_TEST((overridden.liveness == 500ms));
}

BOOST_AUTO_TEST_CASE(lists_are_written_as_CAF_does_or_with_commas) {
  const std::vector two{address, address};
  BOOST_TEST(read({"--node.model=m", "--node.peers=[\"" + address + "\", \"" + address + "\"]"}).peers == two);
  BOOST_TEST(read({"--node.model=m", "--node.peers=" + address + "," + address}).peers == two);
}

BOOST_AUTO_TEST_CASE(a_mistake_on_the_command_line_is_named_with_what_would_be_right) {
  BOOST_TEST(refusal({"--node.modle=m"}) == "there is no option --node.modle; the nearest is --node.model");
  BOOST_TEST(refusal({"--confg-file=x"}) == "there is no option --confg-file; the nearest is --config-file");
  BOOST_TEST(refusal({"--node.port=x"}) == "--node.port wants a whole number from 0 to 65535, not \"x\"");
  BOOST_TEST(refusal({"--node.port=70000"}) == "--node.port wants a whole number from 0 to 65535, not \"70000\"");
  BOOST_TEST(refusal({"--node.liveness=5"}) == "--node.liveness wants a duration such as 5s, 500ms or 1min, not \"5\"");
  BOOST_TEST(refusal({"--node.port", "80"}) == "--node.port wants its value behind =, as in --node.port=VALUE");
  BOOST_TEST(refusal({"--dump-config=yes"}) == "--dump-config takes no value");
  BOOST_TEST(contains(refusal({"model"}), "not \"model\""));
  BOOST_TEST(refusal({"--config-file=/does/not/exist"}) == "the config file /does/not/exist cannot be read");
  BOOST_TEST(contains(refusal({}), "--node.model=PATH"));
}

BOOST_AUTO_TEST_CASE(values_that_make_no_sense_are_refused) {
  const auto with = [](const std::string& option) { return refusal({"--node.model=m", option}); };
  BOOST_TEST(contains(with("--node.blocks=5:5"), "\"5:5\""));
  BOOST_TEST(contains(with("--node.blocks=all"), "\"all\""));
  BOOST_TEST(contains(with("--node.dtype=float16"), "\"float32\" or \"bfloat16\""));
  BOOST_TEST(contains(with("--node.device=gpu"), "\"cuda:N\""));
  BOOST_TEST(contains(with("--node.device=cuda:"), "\"cuda:N\""));
  BOOST_TEST(contains(with("--node.threads=0"), "from 1 to 1024"));
  BOOST_TEST(contains(with("--node.peers=127.0.0.1:80"), "corolla://ID@HOST:PORT"));
  BOOST_TEST(contains(with("--node.announce=127.0.0.1:0"), "HOST:PORT"));
  BOOST_TEST(contains(with("--node.page_tokens=0"), "from 1 to 4096"));
  BOOST_TEST(contains(with("--node.max_batch=65"), "from 1 to 64"));
  BOOST_TEST(contains(with("--node.liveness=1ms"), "from 50ms"));
  BOOST_TEST(contains(with("--node.max_alloc_timeout=1h"), "10min"));
  BOOST_TEST(contains(with("--node.swarm=privat"), "the nearest is \"private\""));
}

BOOST_AUTO_TEST_CASE(a_scheduler_that_would_never_run_anything_is_refused_with_blocks_and_without) {
  for (const std::string node : {"--node.model=m", "--node.serve=false"})
    for (const std::string key : {"scheduler.max-threads", "scheduler.max-throughput"})
      BOOST_TEST(refusal({node, "--" + key + "=0"}) == key + " is 1 or more, not 0");
  BOOST_TEST(contains(refusal({"--node.serve=false", "--node.threads=0"}), "from 1 to 1024"));
}

BOOST_AUTO_TEST_CASE(words_of_the_log_and_the_scheduler_that_do_not_exist_are_refused_with_file_and_line) {
  const std::vector<std::array<std::string, 3>> mistakes{
      {"node.log_level", "\"inof\"", "there is no log level \"inof\"; the nearest is \"info\""},
      {"node.log_format", "\"jsn\"", "logs are written as \"text\" or \"json\", not as \"jsn\""},
      {"scheduler.policy", "'steeling'", "there is no scheduler.policy 'steeling'; the nearest is 'stealing'"},
      // CAF has it for tests of its own: nothing would ever run.
      {"scheduler.policy", "'testing'", "there is no scheduler.policy 'testing'; the nearest is 'stealing'"}};
  const temp_dir dir;
  for (const auto& [key, value, complaint] : mistakes) {
    const auto dot = key.find('.');
    const auto text =
        "[node]\nserve=false\n[" + key.substr(0, dot) + "]\n\n" + key.substr(dot + 1) + "=" + value + '\n';
    const auto file = dir.write("node.ini", text).string();
    for (const auto& args : {arguments{"--config-file=" + file}, arguments{"--config-file=" + file, "--dump-config"}})
      BOOST_TEST(refusal(args) == file + ":5: " + complaint);
    BOOST_TEST(refusal({"--node.model=m", "--" + key + "=" + value}) == complaint);
  }
  for (const auto* level : {"trace", "debug", "info", "warning", "error", "critical", "off"})
    BOOST_TEST(refusal({"--node.model=m", "--node.log_level=" + std::string{level}}) == "(taken)");
}

BOOST_AUTO_TEST_CASE(a_local_node_refuses_to_be_reached_from_elsewhere_and_says_what_to_set) {
  for (const auto* host : {"0.0.0.0", "::", "192.168.1.2", "example.org"}) {
    const auto text = refusal({"--node.model=m", "--node.host=" + std::string{host}});
    BOOST_TEST(contains(text, "--node.swarm=private"));
    BOOST_TEST(contains(text, "--node.swarm=open"));
  }
  for (const auto* host : {"127.0.0.1", "127.0.0.2", "::1", "[::1]", "localhost"})
    BOOST_TEST(refusal({"--node.model=m", "--node.host=" + std::string{host}}) == "(taken)");
  BOOST_TEST(contains(refusal({"--node.model=m", "--node.announce=example.org:80"}), "--node.swarm=open"));
  BOOST_TEST(refusal({"--node.model=m", "--node.host=192.168.1.2", "--node.swarm=open"}) == "(taken)");
}

BOOST_AUTO_TEST_CASE(a_node_that_listens_where_nobody_can_dial_must_say_what_others_dial) {
  const temp_dir dir;
  const auto file = dir.write("node.ini", "[node]\nmodel=\"m\"\n\nhost=\"0.0.0.0\"\nswarm=\"open\"\n").string();
  const std::vector<arguments> swarms{
      {"--node.model=m", "--node.swarm=open"},
      {"--node.serve=false", "--node.swarm=open"},
      {"--node.model=m", "--node.swarm=private", "--node.swarm_id=swarm-" + id, "--node.certificate=c",
       "--node.identity=i"}};
  for (const auto& swarm : swarms)
    for (const std::string host : {"0.0.0.0", "0", "::", "[::]", "0::0", "::ffff:0.0.0.0"}) {
      auto args = swarm;
      args.push_back("--node.host=" + host);
      BOOST_TEST(
          refusal(args) == "node.host=" + host +
                               " is where the node listens, and nobody can dial it: set node.announce to the HOST:PORT "
                               "at which others reach this machine");
      args.push_back("--node.announce=0.0.0.0:80");
      BOOST_TEST(refusal(args) == "node.announce=0.0.0.0:80 is an address that nobody can dial");
      args.back() = "--node.announce=[\"[::]:80\"]";
      BOOST_TEST(refusal(args) == "node.announce=[::]:80 is an address that nobody can dial");
      args.back() = "--node.announce=example.org:80";
      BOOST_TEST(refusal(args) == "(taken)");
    }
  BOOST_TEST(refusal({"--config-file=" + file}).starts_with(file + ":4: node.host=0.0.0.0 "));
  BOOST_TEST(refusal({"--config-file=" + file, "--node.host=10.0.0.0"}) == "(taken)");
}

BOOST_AUTO_TEST_CASE(a_private_swarm_needs_id_certificate_and_identity_and_no_other_takes_them) {
  const auto swarm = "--node.swarm_id=swarm-" + id;
  BOOST_TEST(contains(refusal({"--node.model=m", "--node.swarm=private"}), "node.swarm_id"));
  BOOST_TEST(contains(refusal({"--node.model=m", "--node.swarm=private", swarm}), "node.certificate"));
  BOOST_TEST(
      contains(refusal({"--node.model=m", "--node.swarm=private", swarm, "--node.certificate=c"}), "node.identity"));
  const auto options = read(
      {"--node.model=m", "--node.swarm=private", swarm, "--node.certificate=c", "--node.identity=i",
       "--node.host=0.0.0.0", "--node.announce=example.org:80"});
  BOOST_TEST(options.swarm.certificate == "c");
  BOOST_TEST(contains(refusal({"--node.model=m", swarm}), "node.swarm=private alone"));
  BOOST_TEST(
      contains(refusal({"--node.model=m", "--node.swarm=open", "--node.certificate=c"}), "node.swarm=private alone"));
}

BOOST_AUTO_TEST_CASE(contradictions_in_a_file_are_told_with_their_line_unless_the_command_line_made_them) {
  const temp_dir dir;
  const auto file = dir.write("node.ini", "[node]\nmodel=\"m\"\n\nhost=\"0.0.0.0\"\n").string();
  BOOST_TEST(refusal({"--config-file=" + file}).starts_with(file + ":4: node.host=0.0.0.0"));
  BOOST_TEST(refusal({"--config-file=" + file, "--node.host=::"}).starts_with("node.host=::"));
  BOOST_TEST(refusal({"--config-file=" + file, "--node.host=::1"}) == "(taken)");
}

BOOST_AUTO_TEST_CASE(options_that_open_CAFs_own_remoting_are_refused) {
  const temp_dir dir;
  const auto file = dir.write("node.ini", "[node]\nmodel=\"m\"\n[middleman]\napp-identifiers=[\"x\"]\n").string();
  BOOST_TEST(refusal({"--config-file=" + file}).starts_with(file + ":4: middleman.app-identifiers"));
  for (const auto* option :
       {"--middleman.app-identifiers=[\"x\"]", "--middleman.enable-automatic-connections",
        "--middleman.attach-utility-actors", "--openssl.certificate=x"})
    BOOST_TEST(contains(refusal({"--node.model=m", option}), "remoting"), option);
}

BOOST_AUTO_TEST_CASE(CAFs_own_options_are_taken_and_ours_are_defaults_only) {
  node_config plain;
  plain.read({"--node.model=m"});
  BOOST_TEST((caf::get<caf::atom_value>(caf::content(plain), "scheduler.policy") == caf::atom("sharing")));
  BOOST_TEST(caf::get<int64_t>(caf::content(plain), "middleman.workers") == 0);
  node_config changed;
  changed.read({"--node.model=m", "--scheduler.policy=stealing", "--scheduler.max-threads=3"});
  BOOST_TEST((caf::get<caf::atom_value>(caf::content(changed), "scheduler.policy") == caf::atom("stealing")));
  BOOST_TEST(caf::get<int64_t>(caf::content(changed), "scheduler.max-threads") == 3);
  caf::actor_system system{changed};
}

BOOST_AUTO_TEST_CASE(a_dump_is_a_config_file_that_gives_the_same_configuration) {
  const temp_dir dir;
  node_config first;
  const arguments given{"--dump-config",
                        "--node.model=a \"quoted\" \\ path",
                        "--node.blocks=1:3",
                        "--node.peers=" + address,
                        "--node.liveness=1500ms",
                        "--node.max_alloc_timeout=0s",
                        "--scheduler.max-threads=3"};
  BOOST_TEST_REQUIRE((first.read(given) == node_config::request::dump));
  const auto file = dir.write("dump.ini", first.dump());
  node_config second;
  BOOST_TEST_REQUIRE((second.read({"--config-file=" + file.string()}) == node_config::request::run));
  BOOST_TEST(second.dump() == first.dump());
  BOOST_TEST(second.options().model == "a \"quoted\" \\ path");
  BOOST_TEST((second.options().liveness == 1500ms));
}

BOOST_AUTO_TEST_CASE(the_sample_file_holds_every_option_with_its_default) {
  const temp_dir dir;
  node_config sample, plain;
  const auto file = std::string{COROLLA_SOURCE_DIR} + "/config/node.ini";
  sample.read({"--config-file=" + file, "--node.model=m", "--node.threads=1"});
  plain.read({"--node.model=m", "--node.threads=1"});
  BOOST_TEST(sample.dump() == plain.dump());
  std::ifstream in{file};
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  std::istringstream dump{plain.dump()};
  for (std::string line; std::getline(dump, line) && !line.empty();)
    if (const auto equals = line.find('='); equals != std::string::npos)
      BOOST_TEST(contains(text, "\n" + line.substr(0, equals + 1)), line);
}

BOOST_AUTO_TEST_CASE(help_tells_every_option_of_a_node) {
  node_config config;
  BOOST_TEST_REQUIRE((config.read({"--help"}) == node_config::request::help));
  for (const auto* option : {"--node.model=", "--node.liveness=", "--node.log_file=", "--config-file=FILE"})
    BOOST_TEST(contains(config.help(), option), option);
}

BOOST_AUTO_TEST_CASE(a_file_with_carriage_returns_is_read) {
  const temp_dir dir;
  const auto file = dir.write("node.ini", "[node]\r\nmodel=\"m\"\r\nport=5\r\n");
  BOOST_TEST(read({"--config-file=" + file.string()}).port == 5);
}
