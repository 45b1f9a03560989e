// The proxy between real sockets.  Times are bounded from below alone: the machine may be busy.
#include "runtime/fault_proxy.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>

#include "runtime/tcp.hpp"
#include "tests/support/patience.hpp"

using namespace corolla::runtime;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using corolla::tests::patience;

namespace {

std::string text(size_t size, uint32_t seed = 1) {
  std::string bytes(size, ' ');
  for (auto& byte : bytes) byte = static_cast<char>((seed = seed * 1664525u + 1013904223u) >> 24);
  return bytes;
}

bool ready(const tcp_socket& socket, short events, std::chrono::milliseconds time = patience) {
  pollfd waiting{socket.get(), events, 0};
  return ::poll(&waiting, 1, static_cast<int>(time.count())) > 0;
}

/// Until `count` bytes came, or the end, or an error (`error` holds it).
struct received {
  std::string bytes;
  int error = 0;
  bool ended = false;
};
received receive(const tcp_socket& socket, size_t count) {
  received result;
  std::array<char, 65'536> buffer;
  while (result.bytes.size() < count) {
    BOOST_REQUIRE(ready(socket, POLLIN));
    const auto wanted = std::min(buffer.size(), count - result.bytes.size());
    const auto got = ::recv(socket.get(), buffer.data(), wanted, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) continue;
    if (got < 0) result.error = errno;
    if (got == 0) result.ended = true;
    if (got <= 0) break;
    result.bytes.append(buffer.data(), static_cast<size_t>(got));
  }
  return result;
}

/// Bytes that were sent before the other end took no more.
size_t send_what_goes(const tcp_socket& socket, const std::string& bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const auto count = ::send(socket.get(), bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) break;
    sent += static_cast<size_t>(count);
  }
  return sent;
}

/// A client and a target with the proxy between them.
struct through {
  explicit through(const fault_settings& settings) : proxy{with_target(settings)} { connect(); }

  fault_settings with_target(fault_settings settings) const {
    const auto name = tcp_local_name(listening);
    settings.port = static_cast<uint16_t>(std::stoi(name.substr(name.rfind(':') + 1)));
    return settings;
  }
  void connect() {
    client = tcp_begin_connect(tcp_resolve("127.0.0.1", proxy.port()));
    BOOST_REQUIRE(ready(client, POLLOUT));
    BOOST_REQUIRE(ready(listening, POLLIN));
    target = tcp_socket{::accept4(listening.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    BOOST_REQUIRE(static_cast<bool>(target));
  }

  tcp_socket listening = tcp_listen("127.0.0.1", 0);
  fault_proxy proxy;
  tcp_socket client, target;
};

}  // namespace

BOOST_AUTO_TEST_CASE(bytes_go_both_ways_whole_and_so_does_the_end) {
  through t{{}};
  const auto question = text(100'000, 1), answer = text(100'000, 2);
  BOOST_TEST(send_what_goes(t.client, question) == question.size());
  BOOST_TEST(receive(t.target, question.size()).bytes == question);
  ::shutdown(t.client.get(), SHUT_WR);
  BOOST_TEST(receive(t.target, 1).ended);
  // Half closed: the other way still carries.
  BOOST_TEST(send_what_goes(t.target, answer) == answer.size());
  t.target = {};
  BOOST_TEST(receive(t.client, answer.size()).bytes == answer);
  BOOST_TEST(receive(t.client, 1).ended);
  BOOST_TEST(t.proxy.passed(direction::to) == question.size());
  BOOST_TEST(t.proxy.passed(direction::from) == answer.size());
  BOOST_TEST(t.proxy.connections() == 0u);
}

BOOST_AUTO_TEST_CASE(a_round_trip_takes_the_delay_twice) {
  through t{{.delay = 30ms, .jitter = 0.2}};
  for (int i = 0; i < 3; ++i) {
    const auto begun = clock_type::now();
    send_what_goes(t.client, "ping");
    BOOST_TEST(receive(t.target, 4).bytes == "ping");
    BOOST_TEST((clock_type::now() - begun >= 24ms));
    send_what_goes(t.target, "pong");
    BOOST_TEST(receive(t.client, 4).bytes == "pong");
    BOOST_TEST((clock_type::now() - begun >= 48ms));
  }
}

BOOST_AUTO_TEST_CASE(a_rate_bounds_how_fast_bytes_arrive) {
  through t{{.bytes_per_s = 1'000'000}};
  const auto begun = clock_type::now();
  const auto bytes = text(100'000);
  send_what_goes(t.client, bytes);
  BOOST_TEST(receive(t.target, bytes.size()).bytes == bytes);
  BOOST_TEST((clock_type::now() - begun >= 100ms));
}

BOOST_AUTO_TEST_CASE(one_can_wait_for_bytes_to_be_passed_on) {
  through t{{.bytes_per_s = 100'000}};
  send_what_goes(t.client, text(10'000));
  BOOST_TEST(t.proxy.wait_until_passed(direction::to, 5000, patience));
  BOOST_TEST(t.proxy.passed(direction::to) >= 5000u);
  BOOST_TEST(!t.proxy.wait_until_passed(direction::to, 10'001, 0ms));
  BOOST_TEST(t.proxy.wait_until_passed(direction::to, 10'000, patience));
}

BOOST_AUTO_TEST_CASE(after_so_many_bytes_both_ends_are_reset) {
  through t{{.cut_after_bytes = 1000}};
  send_what_goes(t.client, text(600));
  BOOST_TEST(receive(t.target, 600).bytes.size() == 600u);
  send_what_goes(t.target, text(600));
  const auto at_client = receive(t.client, 600);
  BOOST_TEST(at_client.bytes.size() <= 400u);
  BOOST_TEST(at_client.error == ECONNRESET);
  BOOST_TEST(receive(t.target, 1).error == ECONNRESET);
  t.connect();  // and the next one counts anew
  send_what_goes(t.client, text(600));
  BOOST_TEST(receive(t.target, 600).bytes.size() == 600u);
}

BOOST_AUTO_TEST_CASE(after_a_time_both_ends_are_reset) {
  const auto begun = clock_type::now();
  through t{{.cut_after_time = 50ms}};
  BOOST_TEST(receive(t.client, 1).error == ECONNRESET);
  BOOST_TEST(receive(t.target, 1).error == ECONNRESET);
  BOOST_TEST((clock_type::now() - begun >= 50ms));
}

BOOST_AUTO_TEST_CASE(a_cut_at_run_time_ends_what_is_there_and_nothing_else) {
  through t{{}};
  t.proxy.cut();
  BOOST_TEST(t.proxy.connections() == 0u);
  BOOST_TEST(receive(t.client, 1).error == ECONNRESET);
  BOOST_TEST(receive(t.target, 1).error == ECONNRESET);
  t.connect();
  BOOST_TEST(t.proxy.connections() == 1u);
}

BOOST_AUTO_TEST_CASE(one_direction_falls_silent_and_the_other_goes_on) {
  for (auto silent : {direction::to, direction::from}) {
    through t{{.silent = silent, .silent_after_bytes = 10}};
    auto& from = silent == direction::to ? t.client : t.target;
    auto& to = silent == direction::to ? t.target : t.client;
    send_what_goes(from, text(100));
    BOOST_TEST(receive(to, 10).bytes == text(100).substr(0, 10));
    send_what_goes(to, text(50'000));
    BOOST_TEST(receive(from, 50'000).bytes == text(50'000));
    BOOST_TEST(!ready(to, POLLIN, 0ms));
    BOOST_TEST(t.proxy.passed(silent) == 10u);
  }
}

BOOST_AUTO_TEST_CASE(a_stall_holds_even_the_end_and_what_was_held_arrives_afterwards) {
  through t{{}};
  t.proxy.stall(direction::from);
  send_what_goes(t.target, text(1000));
  t.target = {};
  // What arrives the other way shows that the proxy has been at work meanwhile.
  send_what_goes(t.client, "still there?");
  BOOST_TEST(!ready(t.client, POLLIN, 20ms));
  BOOST_TEST(t.proxy.connections() == 1u);
  t.proxy.resume();
  BOOST_TEST(receive(t.client, 1000).bytes == text(1000));
  // The target was gone when the question came: whether that is told as an end or as a reset is its kernel's choice.
  const auto last = receive(t.client, 1);
  BOOST_TEST((last.ended || last.error == ECONNRESET));
}

BOOST_AUTO_TEST_CASE(what_it_holds_is_bounded_and_the_sender_is_stopped) {
  through t{{}};
  t.proxy.stall(direction::to);
  const auto bytes = text(64 << 20);
  auto sent = send_what_goes(t.client, bytes);
  while (sent < bytes.size() && ready(t.client, POLLOUT, 100ms)) sent += send_what_goes(t.client, bytes.substr(sent));
  BOOST_TEST(sent < bytes.size());
  t.proxy.resume();
  BOOST_TEST((receive(t.target, sent).bytes == bytes.substr(0, sent)));
}

BOOST_AUTO_TEST_CASE(a_flip_changes_one_byte_each_way) {
  through t{{.flip_after = 5'000, .seed = 9}};
  const auto bytes = text(10'000);
  const std::array ends{std::pair{&t.client, &t.target}, std::pair{&t.target, &t.client}};
  for (const auto& [from, to] : ends) {
    send_what_goes(*from, bytes);
    auto got = receive(*to, bytes.size()).bytes;
    BOOST_REQUIRE(got.size() == bytes.size());
    BOOST_TEST(got[5'000] != bytes[5'000]);
    got[5'000] = bytes[5'000];
    BOOST_TEST((got == bytes));
  }
}

BOOST_AUTO_TEST_CASE(where_nobody_listens_the_connection_ends) {
  fault_proxy proxy{{}};
  auto client = tcp_begin_connect(tcp_resolve("127.0.0.1", proxy.port()));
  auto gone = receive(client, 1);
  BOOST_TEST((gone.ended || gone.error == ECONNRESET));
  {
    const auto closed = tcp_local_name(tcp_listen("127.0.0.1", 0));
    proxy.lead_to("127.0.0.1", static_cast<uint16_t>(std::stoi(closed.substr(closed.rfind(':') + 1))));
  }
  client = tcp_begin_connect(tcp_resolve("127.0.0.1", proxy.port()));
  gone = receive(client, 1);
  BOOST_TEST((gone.ended || gone.error == ECONNRESET));
}

BOOST_AUTO_TEST_CASE(a_port_that_is_taken_and_a_host_that_is_none_are_told) {
  const fault_proxy proxy{{}};
  const auto says = [](const std::string& part) {
    return
        [part](const std::runtime_error& error) { return std::string{error.what()}.find(part) != std::string::npos; };
  };
  BOOST_CHECK_EXCEPTION((fault_proxy{{.listen_port = proxy.port()}}), std::runtime_error, says(proxy.address()));
  BOOST_CHECK_EXCEPTION(
      (fault_proxy{{.host = "no such host", .port = 1}}), std::runtime_error, says("cannot resolve no such host"));
}
