// SIGTERM and SIGINT end a node within five seconds, whatever it is doing.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "golden.hpp"
#include "relay.hpp"
#include "silent_port.hpp"
#include "sparse_model.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

namespace {

namespace data = boost::unit_test::data;

constexpr std::chrono::seconds promised{5};
/// Where nothing has to be waited for, and the machine is busy.
constexpr std::chrono::seconds at_once{2};
/// More than any test waits for.
constexpr size_t long_text = 8000;

const std::string warning = "no other server has taken";

/// What a node says at its end: whether sessions had nowhere to go.
enum class last_word { nothing, sessions_are_left, either };

void check_said(const process& child, last_word expected) {
  const auto& said = child.errors();
  if (expected == last_word::nothing || (expected == last_word::either && said.empty())) {
    BOOST_TEST(said == "");
    return;
  }
  BOOST_TEST(said.find(warning) != std::string::npos, said);
  BOOST_TEST(std::ranges::count(said, '\n') == 1, said);
}

void check_ends(
    process& child, int signal, last_word expected = last_word::nothing, int status = 0,
    std::chrono::seconds within = promised) {
  child.signal(signal);
  exit_state end;
  BOOST_REQUIRE_NO_THROW(end = child.wait(within));
  BOOST_TEST(end.exited, "signal " << end.code);
  BOOST_TEST(end.code == status, child.errors());
  check_said(child, expected);
}

/// Tells when a file is opened.
class open_watch {
 public:
  explicit open_watch(const std::filesystem::path& file) : fd_{::inotify_init1(IN_CLOEXEC)} {
    if (::inotify_add_watch(fd_, file.c_str(), IN_OPEN) < 0) throw std::runtime_error("the file cannot be watched");
  }
  ~open_watch() { ::close(fd_); }
  open_watch(const open_watch&) = delete;
  open_watch& operator=(const open_watch&) = delete;

  bool wait() {
    pollfd waiting{fd_, POLLIN, 0};
    return ::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds{patience}.count())) == 1;
  }

 private:
  int fd_;
};

/// A client in the middle of a long text.
process start_long_text(const swarm& s, const std::vector<std::string>& more = {}) {
  auto words = continuation({5, 6}, long_text);
  words.push_back("--json-stream");
  words.insert(words.end(), more.begin(), more.end());
  auto client = s.start("generate", words);
  for (int i = 0; i < 3; ++i) client.wait_for_line("{\"id\"", patience);
  return client;
}

const std::vector<std::string> room{"--node.cache_tokens=8192"};

/// A node that has megabytes to send to a client which reads nothing any more.
struct owed_read {
  owed_read() {
    std::vector<int64_t> ids(prompt_tokens, 7);
    const auto inputs = folder / "in.safetensors";
    model::write_safetensors(
        inputs, {{"input_ids", model::tensor::of<int64_t>({1, prompt_tokens}, std::span<const int64_t>{ids})}});
    const auto address = "corolla://" + servers.servers()[0].peer() + "@127.0.0.1:" + std::to_string(between.port());
    client.emplace_back(start_corolla(
        {"eval", "--model", servers.model(), "--peers", address, "--inputs", inputs, "--out",
         folder / "out.safetensors", "--chunk-tokens", std::to_string(prompt_tokens)}));
    // By then the client has granted all of it: the node waits for nothing but the socket.
    between.run_until_node_sent(answer_bytes * 3 / 8, patience);
    client[0].signal(SIGSTOP);
  }

  /// More than the kernel takes off a sender's hands.
  static constexpr int64_t prompt_tokens = 8192;
  static constexpr size_t answer_bytes = prompt_tokens * 64 * sizeof(float);
  temp_dir folder;
  swarm servers{tiny_model("bloom"), {"0:4"}, {"--node.cache_tokens=8192", "--node.liveness=60s"}};
  relay between{servers.servers()[0].port()};
  std::vector<process> client;
};

}  // namespace

BOOST_DATA_TEST_CASE(an_idle_node_ends, data::make({SIGTERM, SIGINT}), signal) {
  swarm s{tiny_model("llama"), {"0:1", "1:4"}};
  for (auto& server : s.servers()) check_ends(server.child(), signal);
}

BOOST_DATA_TEST_CASE(
    a_node_ends_at_once_while_it_joins_by_a_peer_that_is_silent, data::make({SIGTERM, SIGINT}), signal) {
  silent_port peer;
  const auto address = "corolla://" + std::string(52, 'a') + "@127.0.0.1:" + std::to_string(peer.number());
  server joining{tiny_model("llama"), {"--node.peers=" + address}};
  BOOST_TEST_REQUIRE(peer.is_greeted());
  check_ends(joining.child(), signal, last_word::nothing, /*status=*/0, at_once);
  BOOST_TEST(joining.child().output() == "");  // it did not come to be ready
}

BOOST_DATA_TEST_CASE(a_node_ends_at_once_while_a_stranger_says_nothing, data::make({SIGTERM, SIGINT}), signal) {
  swarm s{tiny_model("llama"), {"0:4"}};
  const auto stranger = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(s.servers()[0].port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  BOOST_TEST_REQUIRE(::connect(stranger, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  check_ends(s.servers()[0].child(), signal, last_word::nothing, /*status=*/0, at_once);
  ::close(stranger);
}

/// The client has tokens from it until then, and is told when it has gone.
BOOST_AUTO_TEST_CASE(without_another_server_a_node_serves_until_its_patience_ends_and_says_so) {
  using std::chrono::steady_clock;
  constexpr std::chrono::seconds drain_timeout{2};
  auto options = room;
  options.push_back("--node.drain_timeout=2s");
  swarm s{tiny_model("bloom"), {"0:1", "1:4"}, options};
  // The client waits for another server as long as it may.
  auto client = start_long_text(s, {"--step-timeout-ms", "1000"});
  auto& leaving = s.servers()[1].child();
  leaving.signal(SIGTERM);
  const auto told = steady_clock::now();
  auto last_token = told;
  while (auto line = client.read_line(patience))
    if (line->starts_with("{\"id\"")) last_token = steady_clock::now();
  BOOST_TEST((last_token - told >= drain_timeout - std::chrono::milliseconds{500}));
  BOOST_TEST((last_token - told <= promised));
  BOOST_TEST(client.wait(patience).is(1));
  BOOST_TEST(client.errors().find("blocks 1:4 have no server") != std::string::npos, client.errors());
  BOOST_TEST(client.errors().find(s.servers()[1].peer()) != std::string::npos, client.errors());
  BOOST_TEST(leaving.wait(patience).is(0), leaving.errors());
  check_said(leaving, last_word::sessions_are_left);
  // The client's end may not have come to the other one.
  check_ends(s.servers()[0].child(), SIGTERM, last_word::either);
}

BOOST_AUTO_TEST_CASE(a_node_whose_session_has_nowhere_to_go_ends_after_its_patience_and_not_before) {
  using std::chrono::steady_clock;
  swarm s{tiny_model("bloom"), {"0:1", "1:4"}, room};
  auto client = start_long_text(s);
  client.signal(SIGSTOP);
  const auto told = steady_clock::now();
  check_ends(s.servers()[1].child(), SIGTERM, last_word::sessions_are_left);
  BOOST_TEST((steady_clock::now() - told >= std::chrono::seconds{3}));  // as config/node.ini has it
}

BOOST_AUTO_TEST_CASE(a_node_ends_while_it_loads) {
  const temp_dir folder;
  const auto weights = sparse_model{2048, 8192, 8, 256}.write(folder / "model");
  open_watch opened{weights};
  server loading{folder / "model"};
  BOOST_TEST_REQUIRE(opened.wait());
  check_ends(loading.child(), SIGTERM);
  BOOST_TEST(loading.child().output() == "");  // it did not come to be ready
}

BOOST_AUTO_TEST_CASE(a_node_ends_while_a_server_and_a_client_have_stopped) {
  swarm s{tiny_model("bloom"), {"0:1", "1:4"}, room};
  auto client = start_long_text(s);
  client.signal(SIGSTOP);
  s.servers()[1].child().signal(SIGSTOP);
  check_ends(s.servers()[0].child(), SIGTERM, last_word::sessions_are_left);
}

BOOST_FIXTURE_TEST_CASE(a_node_ends_while_a_peer_that_has_stopped_owes_it_a_read, owed_read) {
  check_ends(servers.servers()[0].child(), SIGTERM, last_word::sessions_are_left);
  // It did owe a read: the kernel had taken a part of what the node had to send, and the rest was left.
  const auto left = between.drain();
  BOOST_TEST_MESSAGE("left in the kernel: " << left << " of " << answer_bytes);
  BOOST_TEST(left > answer_bytes / 32);
  BOOST_TEST(left < answer_bytes / 2);
}

BOOST_FIXTURE_TEST_CASE(a_second_signal_ends_a_node_at_once, owed_read) {
  auto& node = servers.servers()[0].child();
  // It says goodbye for half a second at least.
  node.signal(SIGINT);
  check_ends(node, SIGTERM, last_word::nothing, /*status=*/1);
}

}  // namespace corolla::tests
