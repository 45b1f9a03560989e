// What is no peer knocks at a node's port while a client generates.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/wire/limits.hpp"
#include "crypto/identity.hpp"
#include "crypto/tls.hpp"
#include "golden.hpp"

namespace corolla::tests {

namespace {

constexpr size_t text_tokens = 1500;
constexpr uint64_t mega = 1u << 20;

class connection {
 public:
  /// From 127.0.0.HOST.
  explicit connection(uint16_t port, uint32_t host = 1) : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host);
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("127.0.0." + std::to_string(host) + " cannot be used");
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

  /// Appends what comes next; false where that is the end.
  bool receive(std::vector<std::byte>& to) const {
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds{patience}.count())) != 1) return false;
    std::array<std::byte, 4096> bytes;
    const auto size = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (size > 0) to.insert(to.end(), bytes.begin(), bytes.begin() + size);
    return size > 0;
  }

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

/// Proves a key by TLS and then says but half of a hello.
class half_a_peer : crypto::plaintext_sink {
 public:
  half_a_peer(uint16_t port, uint32_t host, const crypto::tls_context& context)
      : connection_{port, host}, channel_{crypto::tls_channel::connect(context, std::nullopt, out_)} {}

  void begin() { flush(); }

  /// False where the node has let it go before.
  bool finish() {
    std::vector<std::byte> came;
    while (channel_.state() == crypto::tls_state::handshaking) {
      came.clear();
      if (!connection_.receive(came)) return false;
      channel_.feed(came, *this, out_);
      flush();
    }
    // A hello's header, of 16 bytes, says its type first.
    const std::array half{std::byte{1}, std::byte{0}, std::byte{0}, std::byte{0}};
    const auto sent = channel_.write(half, out_);
    flush();
    return sent;
  }

  const connection& socket() const { return connection_; }

 private:
  std::span<std::byte> room() override { return ignored_; }
  void filled(size_t) override {}
  void flush() { connection_.send({out_.begin(), out_.end()}), out_.clear(); }

  connection connection_;
  std::vector<char> out_;
  crypto::tls_channel channel_;
  std::array<std::byte, 4096> ignored_{};
};

/// Of eight addresses, so that none has more than an address may.
std::vector<std::unique_ptr<half_a_peer>> crowd_at(uint16_t port, uint32_t count) {
  const crypto::tls_context context{crypto::identity::generate()};
  std::vector<std::unique_ptr<half_a_peer>> crowd;
  for (uint32_t i = 0; i < count; ++i) crowd.push_back(std::make_unique<half_a_peer>(port, 2 + i % 8, context));
  return crowd;
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

  BOOST_TEST(memory() <= before + 10 * mega);

  auto later = start_text(s);
  BOOST_TEST(read_ids(later) == expected);
}

BOOST_AUTO_TEST_CASE(a_crowd_that_never_finishes_its_hello_is_bounded_keeps_nobody_out_and_leaves_nothing_behind) {
  constexpr uint32_t all = 500, kept = 256;
  swarm s{tiny_model("bloom"), {"0:2", "2:4"}};
  auto& attacked = s.servers()[0];
  const auto memory = [&] { return resident_bytes(attacked.child().pid()); };
  auto quiet = start_text(s);
  const auto expected = read_ids(quiet);
  const auto before = memory();
  // The allocator keeps what the first crowds took, for those that follow: 16 MB each, were it lost.
  std::vector<uint64_t> after;
  auto fastest = std::chrono::steady_clock::duration::max();
  for (int round = 0; round < 3; ++round) {
    const auto begun = std::chrono::steady_clock::now();
    const auto crowd = crowd_at(attacked.port(), all);
    for (uint32_t i = 0; i < all - kept; ++i) BOOST_TEST_REQUIRE(crowd[i]->socket().is_closed_by_node(patience));
    fastest = std::min(fastest, std::chrono::steady_clock::now() - begun);
    for (uint32_t i = all - kept; i < all; ++i) crowd[i]->begin();
    size_t proved = 0;
    for (uint32_t i = all - kept; i < all; ++i) proved += crowd[i]->finish() ? 1 : 0;
    const auto with_crowd = memory();
    BOOST_TEST(proved > 0u);
    BOOST_TEST(with_crowd <= before + 50 * mega);
    auto meanwhile = start_text(s);
    BOOST_TEST(read_ids(meanwhile) == expected);
    BOOST_TEST(crowd.back()->socket().is_closed_by_node(patience));
    after.push_back(memory());
    BOOST_TEST_MESSAGE(
        proved << " half peers: memory before " << before / mega << " MB, with them " << with_crowd / mega
               << " MB, after them " << after.back() / mega << " MB");
  }
  // The oldest were let go for the others, and not because their time was over.
  BOOST_TEST((fastest < actors::wire::limits::unproved_time));
  BOOST_TEST(after[2] <= after[1] + 4 * mega);
}

}  // namespace corolla::tests
