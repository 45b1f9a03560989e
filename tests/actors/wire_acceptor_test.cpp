// What strangers can do to an open port.
#include <boost/test/unit_test.hpp>

#include <malloc.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include <caf/io/middleman.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/dialer_actor.hpp"
#include "actors/wire/socket.hpp"
#include "tests/support/link_ends.hpp"
#include "tests/support/manual_peer.hpp"

namespace corolla::tests {
namespace {

using namespace actors;
using namespace actors::wire;

// A sanitizer's own memory says nothing of ours.
#ifdef COROLLA_SANITIZED
constexpr auto is_sanitized = true;
#else
constexpr auto is_sanitized = false;
#endif

size_t resident_bytes() {
  std::ifstream file{"/proc/self/statm"};
  size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

struct open_port {
  networked_config options;
  caf::actor_system system{options};
  caf::scoped_actor self{system};
  node_end server;
  listening at;

  void listen(uint32_t per_address = limits::unproved_per_address, uint32_t in_all = limits::unproved_in_all) {
    acceptor_start start;
    start.config = server.shared();
    start.owner = reporting_to(system, caf::actor{self});
    start.per_address = per_address;
    start.in_all = in_all;
    auto result = spawn_acceptor(system, std::move(start));
    BOOST_REQUIRE(result);
    at = *result;
  }
  std::vector<link_actor> links;

  ~open_port() {
    for (auto& link : links) self->send_exit(link, caf::exit_reason::kill);
    if (at.acceptor) self->send_exit(at.acceptor, caf::exit_reason::user_shutdown);
  }
  descriptor connect() {
    auto outcome = connect_to(at.host, at.port, std::chrono::seconds{5});
    BOOST_REQUIRE(std::holds_alternative<descriptor>(outcome));
    return std::move(std::get<descriptor>(outcome));
  }
  acceptor_status status() {
    acceptor_status result;
    self->request(at.acceptor, patience, status_atom::value)
        .receive([&](acceptor_status& got) { result = got; }, [](caf::error& reason) { BOOST_FAIL(describe(reason)); });
    return result;
  }
  /// Asks until it is so; each answer has been through the thread that accepts.
  template <class Predicate>
  bool eventually(Predicate is_so) {
    auto deadline = std::chrono::steady_clock::now() + patience;
    while (!is_so(status()))
      if (std::chrono::steady_clock::now() > deadline) return false;
    return true;
  }
  void expect_link() {
    self->receive(
        [&](link_up& up) { links.push_back(up.link); }, caf::after(patience) >> [] { BOOST_FAIL("no link came up"); });
  }
  /// An honest peer gets through.
  void serve_somebody() {
    node_end client;
    manual_peer peer{connect().release(), client, /*dialled=*/true};
    BOOST_TEST(peer.greet());
    expect_link();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(wire_acceptor, open_port)

BOOST_AUTO_TEST_CASE(the_kernel_chooses_a_port_where_none_is_named) {
  listen();
  BOOST_TEST(at.port != 0);
  serve_somebody();
}

BOOST_AUTO_TEST_CASE(ipv6_is_listened_at_where_there_is_any) {
  acceptor_start start;
  start.host = "::1";
  start.config = server.shared();
  start.owner = reporting_to(system, caf::actor{self});
  if (auto result = spawn_acceptor(system, std::move(start))) {
    at = *result;
    BOOST_TEST(join(at.host, at.port) == "[::1]:" + std::to_string(at.port));
    serve_somebody();
  }
}

BOOST_AUTO_TEST_CASE(a_port_in_use_is_an_error_that_says_what_to_do) {
  listen();
  acceptor_start start;
  start.port = at.port;
  start.config = server.shared();
  auto second = spawn_acceptor(system, std::move(start));
  BOOST_REQUIRE(!second);
  BOOST_TEST(
      describe(second.error()) ==
      "unreachable: 127.0.0.1:" + std::to_string(at.port) + " is in use: choose another with --node.port");
}

BOOST_AUTO_TEST_CASE(the_dialer_connects_or_says_why_not) {
  listen();
  auto sut = system.spawn<caf::detached>(dialer, std::make_shared<const interrupt>());
  self->request(sut, patience, dial_atom::value, std::string{"localhost"}, at.port)
      .receive(
          [&](int socket) {
            node_end client;
            manual_peer peer{socket, client, /*dialled=*/true};
            BOOST_TEST(peer.greet());
          },
          [](caf::error& reason) { BOOST_FAIL(describe(reason)); });
  expect_link();
  auto nobody = listen_at("127.0.0.1", 0);
  auto port = std::get<listener>(nobody).port;
  nobody = refusal{};
  self->request(sut, patience, dial_atom::value, std::string{"127.0.0.1"}, port)
      .receive(
          [](int) { BOOST_FAIL("nobody listens there"); },
          [&](caf::error& reason) {
            BOOST_TEST(
                describe(reason) ==
                "unreachable: cannot connect to 127.0.0.1:" + std::to_string(port) + ": Connection refused");
          });
  self->send_exit(sut, caf::exit_reason::user_shutdown);
}

BOOST_AUTO_TEST_CASE(a_dial_that_nothing_answers_is_given_up_when_the_node_ends) {
  // A kernel that drops what comes: its queue has one place, and that is taken.
  auto full = listen_at("127.0.0.1", 0);
  auto& busy = std::get<listener>(full);
  BOOST_REQUIRE(::listen(busy.socket.get(), 0) == 0);
  auto first = connect_to("127.0.0.1", busy.port, std::chrono::seconds{5});
  BOOST_REQUIRE(std::holds_alternative<descriptor>(first));
  const auto stop = std::make_shared<const interrupt>();
  auto sut = system.spawn<caf::detached>(dialer, stop);
  auto dial = self->request(sut, patience, dial_atom::value, std::string{"127.0.0.1"}, busy.port);
  stop->raise();
  dial.receive(
      [](int) { BOOST_FAIL("nobody takes it"); },
      [](caf::error& reason) { BOOST_TEST(describe(reason) == "stopping: the node is ending"); });
}

BOOST_AUTO_TEST_CASE(garbage_ends_its_own_connection_and_nothing_else) {
  listen();
  std::vector<std::string> garbage{
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n", std::string(100'000, '\0'), std::string(100'000, '\xff'),
      std::string{"\x16\x03\x01\x40\x00", 5} + std::string(70'000, 'a')};
  for (auto& bytes : garbage) {
    auto socket = connect();
    ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    BOOST_TEST(wait_for_end(socket.get()));
  }
  serve_somebody();
}

BOOST_AUTO_TEST_CASE(a_handshake_cut_at_any_byte_costs_nothing) {
  listen();
  node_end client;
  std::vector<char> first;
  dial_tls(*client.config.tls, std::nullopt, first);
  for (size_t size = 0; size < first.size(); ++size) {
    auto socket = connect();
    ::send(socket.get(), first.data(), size, MSG_NOSIGNAL);
  }
  BOOST_TEST(eventually([&](const auto& status) { return status.accepted == first.size() && status.unproved == 0; }));
  serve_somebody();
}

BOOST_AUTO_TEST_CASE(the_oldest_unproved_connection_makes_room) {
  listen(/*per_address=*/2, /*in_all=*/100);
  auto oldest = connect();
  BOOST_TEST(eventually([](const auto& status) { return status.accepted == 1; }));
  auto second = connect(), third = connect();
  BOOST_TEST(wait_for_end(oldest.get()));
  auto now = status();
  BOOST_TEST(now.unproved == 2u);
  BOOST_TEST(now.displaced == 1u);
}

BOOST_AUTO_TEST_CASE(the_oldest_of_all_makes_room_where_no_address_has_too_many) {
  listen(/*per_address=*/100, /*in_all=*/3);
  std::vector<descriptor> first;
  for (uint64_t i = 1; i <= 3; ++i) {
    first.push_back(connect());
    BOOST_TEST(eventually([i](const auto& status) { return status.accepted == i; }));
  }
  BOOST_TEST(status().displaced == 0u);
  auto newest = connect();
  BOOST_TEST(wait_for_end(first.front().get()));
  auto now = status();
  BOOST_TEST(now.accepted == 4u);
  BOOST_TEST(now.unproved == 3u);
  BOOST_TEST(now.displaced == 1u);
  serve_somebody();
}

BOOST_AUTO_TEST_CASE(five_hundred_idle_connections_are_cheap_and_leave_nothing_behind) {
  // The limit is set aside, so that all of them are held at once.
  listen(/*per_address=*/500, /*in_all=*/500);
  serve_somebody();
  auto before = resident_bytes();
  {
    node_end client;
    std::vector<char> first;
    dial_tls(*client.config.tls, std::nullopt, first);
    std::vector<descriptor> idle;
    for (int i = 0; i < 500; ++i) {
      idle.push_back(connect());
      // So far that the other side has begun a handshake, and waits.
      ::send(idle.back().get(), first.data(), first.size(), MSG_NOSIGNAL);
    }
    BOOST_TEST(eventually([](const auto& status) { return status.unproved == 500; }));
    std::array<char, 1> answer;
    for (auto& socket : idle) {
      pollfd waiting{socket.get(), POLLIN, 0};
      BOOST_REQUIRE(::poll(&waiting, 1, 20'000) == 1);
      BOOST_TEST(::recv(socket.get(), answer.data(), answer.size(), 0) == 1);
    }
    auto cost = resident_bytes() - before;
    BOOST_TEST_MESSAGE("500 idle connections cost " << cost / 1024 << " KiB");
    BOOST_TEST((is_sanitized || cost <= size_t{50} << 20));
  }
  BOOST_TEST(eventually([](const auto& status) { return status.unproved == 0; }));
  serve_somebody();
  ::malloc_trim(0);
  BOOST_TEST((is_sanitized || resident_bytes() <= before + (size_t{8} << 20)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
