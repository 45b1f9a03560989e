// What is no peer knocks at a node's port while a client generates.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "golden.hpp"

namespace corolla::tests {

namespace {

constexpr size_t text_tokens = 1500;
constexpr uint64_t mega = 1u << 20;

class connection {
 public:
  explicit connection(uint16_t port) : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("the node takes no connections any more");
  }
  ~connection() {
    if (fd_ >= 0) ::close(fd_);
  }
  connection(connection&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  connection& operator=(connection&&) = delete;

  /// The node may have closed it before all was sent.
  void send(const std::string& bytes) const { (void)!::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void end_sending() const { ::shutdown(fd_, SHUT_WR); }

  /// True once the node has closed it; what it sends before is no matter.
  bool is_closed_by_node(std::chrono::milliseconds deadline) const {
    const auto until = std::chrono::steady_clock::now() + deadline;
    std::array<char, 4096> bytes;
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
      pollfd waiting{fd_, POLLIN, 0};
      if (::poll(&waiting, 1, static_cast<int>(std::max<int64_t>(left, 0))) != 1) return false;
      if (::recv(fd_, bytes.data(), bytes.size(), 0) <= 0) return true;
    }
  }

 private:
  int fd_;
};

std::string random_bytes(std::mt19937& random, size_t count) {
  std::string bytes(count, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

/// The beginning of a TLS 1.3 client hello: a record that says 512 bytes and has 200.
std::string half_a_hello(std::mt19937& random) {
  return std::string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11} + random_bytes(random, 189);
}

void send_garbage(uint16_t port) {
  std::mt19937 random{1};
  for (int i = 0; i < 100; ++i) {
    connection noise{port}, half{port}, nothing{port};
    noise.send(random_bytes(random, 1 + random() % 20'000));
    half.send(half_a_hello(random));
    half.end_sending();
    BOOST_TEST_REQUIRE(noise.is_closed_by_node(patience));
    BOOST_TEST_REQUIRE(half.is_closed_by_node(patience));
  }
}

std::vector<connection> connect_often(uint16_t port, int count) {
  std::vector<connection> result;
  for (int i = 0; i < count; ++i) result.emplace_back(port);
  return result;
}

std::string read_ids(process& client) {
  std::string line;
  for (auto next = client.read_line(patience); next; next = client.read_line(patience)) line = *next;
  BOOST_TEST_REQUIRE(client.wait(patience).is(0), client.errors());
  return nlohmann::json::parse(line).at("ids").dump();
}

process start_text(const swarm& s) {
  auto words = continuation({5, 6, 7}, text_tokens);
  words.push_back("--json-stream");
  auto client = s.start("generate", words);
  client.wait_for_line("{\"id\"", patience);
  return client;
}

}  // namespace

BOOST_AUTO_TEST_CASE(garbage_on_the_port_disturbs_no_text_and_leaves_nothing_behind) {
  swarm s{tiny_model("bloom"), {"0:2", "2:4"}};
  auto& attacked = s.servers()[0];
  const auto memory = [&] { return resident_bytes(attacked.child().pid()); };
  auto quiet = start_text(s);
  const auto expected = read_ids(quiet);
  const auto before = memory();

  auto disturbed = start_text(s);
  send_garbage(attacked.port());
  {
    const auto idle = connect_often(attacked.port(), 300);
    // Few may wait to prove who they are: the others were let go, the oldest first.
    for (size_t i = 0; i < 300 - 64; ++i) BOOST_TEST_REQUIRE(idle[i].is_closed_by_node(patience));
    BOOST_TEST(memory() <= before + 50 * mega);
    BOOST_TEST(read_ids(disturbed) == expected);
    // Nor for ever.
    BOOST_TEST(idle.back().is_closed_by_node(patience));
  }

  auto later = start_text(s);
  BOOST_TEST(read_ids(later) == expected);
  BOOST_TEST_MESSAGE("memory before " << before / mega << " MB, after " << memory() / mega << " MB");
  BOOST_TEST(memory() <= before + 10 * mega);
}

}  // namespace corolla::tests
