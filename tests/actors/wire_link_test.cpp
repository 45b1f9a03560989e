// Real links over loopback TCP with TLS.
#include <boost/test/unit_test.hpp>

#include <caf/io/middleman.hpp>

#include "tests/support/link_ends.hpp"

namespace corolla::tests {
namespace {

using namespace actors;
using namespace actors::wire;

struct two_ends {
  networked_config options;
  caf::actor_system system{options};
  caf::scoped_actor self{system};
  node_end dialler, server;
  link_actor from_dialler, from_server;

  ~two_ends() {
    for (auto& link : spawned)
      self->send_exit(link, caf::exit_reason::kill);
  }

  std::vector<link_actor> spawned;

  link_actor spawn(int socket, const node_end& end, bool dialled, std::optional<peer_id> expected = {}) {
    link_start start;
    start.socket = socket;
    start.dialled = dialled;
    start.expected = expected;
    start.config = end.shared();
    start.owner = reporting_to(system, caf::actor{self});
    auto link = spawn_link(system, std::move(start));
    self->monitor(link);
    spawned.push_back(link);
    return link;
  }
  /// Both ends, until both hellos were accepted.
  void connect() {
    auto [near, far] = connected_sockets();
    from_dialler = spawn(near, dialler, /*dialled=*/true, server.identity.peer());
    from_server = spawn(far, server, /*dialled=*/false);
    for (int i = 0; i < 2; ++i)
      self->receive(
        [&](link_up& up) {
          BOOST_TEST((up.info.peer == (up.info.dialled ? server : dialler).identity.peer()));
          BOOST_TEST(up.info.software == "test/1");
        },
        caf::after(patience) >> [] { BOOST_FAIL("no link came up"); });
  }
  caf::error next_end() {
    caf::error reason;
    self->receive(
      [&](caf::down_msg& down) { reason = std::move(down.reason); },
      caf::after(patience) >> [] { BOOST_FAIL("no link ended"); });
    return reason;
  }
  incoming next_message() {
    incoming result;
    self->receive(
      [&](link_message& got) { result = std::move(got.message); },
      [&](caf::down_msg& down) { BOOST_FAIL("a link ended: " << describe(down.reason)); },
      caf::after(patience) >> [] { BOOST_FAIL("no message came"); });
    return result;
  }
  void open_stream(const link_actor& link, uint64_t stream) {
    outgoing first;
    first.type = frame_type::attach;
    first.stream = stream;
    self->send(link, frame_atom::value, std::move(first));
    BOOST_TEST((next_message().type == frame_type::attach));
  }
};

model::tensor pattern(size_t size, unsigned seed) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>((i * 2654435761u + seed) >> 7);
  return {model::dtype::uint8, {static_cast<int64_t>(size)}, std::move(bytes)};
}

outgoing step_with(model::tensor payload, uint64_t stream, priority cls = priority::step) {
  outgoing message;
  message.type = frame_type::step;
  message.cls = cls;
  message.stream = stream;
  message.body = {std::byte{1}, std::byte{2}};
  message.payload = std::move(payload);
  return message;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(wire_link, two_ends)

BOOST_AUTO_TEST_CASE(messages_of_every_size_arrive_as_they_were_sent) {
  connect();
  open_stream(from_dialler, 1);
  for (size_t size : {size_t{0}, size_t{1}, size_t{8192}, size_t{65536}, size_t{262144}, size_t{262145}, size_t{8} << 20}) {
    auto sent = pattern(size, static_cast<unsigned>(size));
    auto answer = self->request(from_dialler, patience, frame_atom::value, step_with(sent, 1));
    auto got = next_message();
    BOOST_TEST((got.type == frame_type::step));
    BOOST_TEST(got.stream == 1u);
    BOOST_TEST(got.body.size() == 2u);
    BOOST_TEST((got.payload ? got.payload->size() : 0) == size);
    if (size > 0) {
      BOOST_TEST(std::equal(got.payload->begin(), got.payload->end(), sent.bytes().begin()));
      self->send(from_server, consumed_atom::value, uint64_t{1}, static_cast<uint32_t>(size));
    }
    answer.receive([](taken) {}, [](caf::error& reason) { BOOST_FAIL(describe(reason)); });
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
