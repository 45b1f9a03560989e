// Links over a bad network: what TLS, framing and liveness make of it.
#include "runtime/fault_proxy.hpp"

#include <stdexcept>
#include <variant>

#include <poll.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>

#include "actors/wire/socket.hpp"
#include "tests/support/core_ends.hpp"
#include "tests/support/link_ends.hpp"

namespace corolla::tests {
namespace {

using namespace actors;
using namespace actors::wire;
using runtime::direction;
using runtime::fault_proxy;
using runtime::fault_settings;

/// A link through a proxy, both ends of it here.
struct bad_link {
  networked_config options;
  caf::actor_system system{options};
  caf::scoped_actor self{system};
  node_end near, far;
  listener listening = std::get<listener>(listen_at("127.0.0.1", 0));
  fault_proxy proxy;
  link_actor dialler, server;

  explicit bad_link(fault_settings settings, std::chrono::milliseconds silence = patience)
      : proxy{leading_to(std::move(settings), listening.port)} {
    near.config.silence = far.config.silence = silence;
    auto socket = std::get<descriptor>(connect_to("127.0.0.1", proxy.port(), patience));
    dialler = spawn(socket.release(), near, /*dialled=*/true, far.identity.peer());
    server = spawn(accept_one(), far, /*dialled=*/false);
    for (int i = 0; i < 2; ++i)
      self->receive(
          [](link_up&) {}, [](caf::down_msg& down) { BOOST_FAIL("a link ended: " << describe(down.reason)); },
          caf::after(patience) >> [] { BOOST_FAIL("no link came up"); });
  }
  ~bad_link() {
    for (auto& link : {dialler, server}) self->send_exit(link, caf::exit_reason::kill);
  }

  static fault_settings leading_to(fault_settings settings, uint16_t port) {
    settings.port = port;
    return settings;
  }
  int accept_one() const {
    auto deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
      pollfd waiting{listening.socket.get(), POLLIN, 0};
      if (::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds{patience}.count())) > 0)
        if (auto socket = ::accept4(listening.socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            socket >= 0)
          return socket;
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error{"nothing was accepted"};
    }
  }
  link_actor spawn(int socket, const node_end& end, bool dialled, std::optional<peer_id> expected = {}) {
    link_start start;
    start.socket = socket;
    start.dialled = dialled;
    start.expected = expected;
    start.config = end.shared();
    start.owner = reporting_to(system, caf::actor{self});
    auto link = spawn_link(system, std::move(start));
    self->monitor(link);
    return link;
  }
  /// A message of `size` bytes to the server.
  void send(size_t size) {
    outgoing message;
    message.type = frame_type::attach;
    message.stream = 1;
    self->send(dialler, frame_atom::value, std::move(message));
    message = {};
    message.type = frame_type::step;
    message.cls = priority::step;
    message.stream = 1;
    message.payload = pattern(size);
    self->send(dialler, frame_atom::value, std::move(message));
  }
  /// Why that end of the link ended.
  caf::error reason_of(const link_actor& link) {
    for (;;) {
      caf::down_msg ended;
      self->receive(
          [&](caf::down_msg& down) { ended = std::move(down); }, [](link_message&) {}, [](stream_end&) {},
          caf::after(patience) >> [] { BOOST_FAIL("no link ended"); });
      if (ended.source == link.address()) return ended.reason;
    }
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_flipped_bit_ends_the_link_where_it_arrives) {
  bad_link link{{.flip_after = 20'000, .seed = 4}};
  link.send(100'000);
  auto reason = link.reason_of(link.server);
  BOOST_TEST((code_of(reason) == errc::protocol_violation), describe(reason));
}

BOOST_AUTO_TEST_CASE(a_cut_is_told_at_both_ends_at_once) {
  // The silence is an hour: only the cut can end it in time.
  bad_link link{{}, std::chrono::hours{1}};
  link.proxy.cut();
  BOOST_TEST((code_of(link.reason_of(link.server)) == errc::link_lost));
}

BOOST_AUTO_TEST_CASE(a_direction_that_fell_silent_is_noticed_where_nothing_arrives) {
  for (auto silent : {direction::to, direction::from}) {
    bad_link link{{}, std::chrono::milliseconds{300}};
    link.proxy.stall(silent);
    auto reason = link.reason_of(silent == direction::to ? link.server : link.dialler);
    BOOST_TEST((code_of(reason) == errc::link_lost), describe(reason));
  }
}

}  // namespace corolla::tests
