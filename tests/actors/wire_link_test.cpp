// Real links over loopback TCP with TLS.
#include <boost/test/unit_test.hpp>

#include <sys/socket.h>

#include <caf/io/middleman.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "tests/support/link_ends.hpp"
#include "tests/support/manual_peer.hpp"

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
    for (auto& link : spawned) self->send_exit(link, caf::exit_reason::kill);
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
  caf::down_msg next_down() {
    caf::down_msg result;
    self->receive(
        [&](caf::down_msg& down) { result = std::move(down); },
        caf::after(patience) >> [] { BOOST_FAIL("no link ended"); });
    return result;
  }
  incoming next_message() {
    incoming result;
    self->receive(
        [&](link_message& got) { result = std::move(got.message); },
        [&](caf::down_msg& down) { BOOST_FAIL("a link ended: " << describe(down.reason)); },
        caf::after(patience) >> [] { BOOST_FAIL("no message came"); });
    return result;
  }
  link_status status(const link_actor& link) {
    link_status result;
    self->request(link, patience, status_atom::value)
        .receive([&](link_status& got) { result = got; }, [](caf::error& reason) { BOOST_FAIL(describe(reason)); });
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
  for (size_t size :
       {size_t{0}, size_t{1}, size_t{8192}, size_t{65536}, size_t{262144}, size_t{262145}, size_t{8} << 20}) {
    auto sent = pattern(size, static_cast<uint32_t>(size));
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

BOOST_AUTO_TEST_CASE(both_ends_send_large_messages_at_the_same_time) {
  constexpr size_t size = size_t{8} << 20;
  constexpr int messages = 6;
  connect();
  open_stream(from_dialler, 1);
  open_stream(from_server, 2);
  for (int i = 0; i < messages; ++i) {
    self->send(from_dialler, frame_atom::value, step_with(pattern(size, 1), 1, priority::bulk));
    self->send(from_server, frame_atom::value, step_with(pattern(size, 2), 2, priority::bulk));
  }
  for (int i = 0; i < 2 * messages; ++i) {
    auto got = next_message();
    BOOST_REQUIRE(got.payload);
    auto sent = pattern(size, static_cast<uint32_t>(got.stream));
    BOOST_TEST(std::equal(got.payload->begin(), got.payload->end(), sent.bytes().begin()));
    self->send(
        got.stream == 1 ? from_server : from_dialler, consumed_atom::value, got.stream, static_cast<uint32_t>(size));
  }
}

BOOST_AUTO_TEST_CASE(whoever_proves_another_id_than_the_one_dialled_is_refused) {
  auto [near, far] = connected_sockets();
  auto stranger = crypto::identity::generate().peer();
  auto dialled = spawn(near, dialler, /*dialled=*/true, stranger);
  auto accepted = spawn(far, server, /*dialled=*/false);
  for (int i = 0; i < 2; ++i) {
    caf::down_msg down = next_down();
    if (down.source != dialled.address()) continue;
    BOOST_TEST((code_of(down.reason) == errc::wrong_peer));
    BOOST_TEST(describe(down.reason).find(stranger.to_string()) != std::string::npos);
    BOOST_TEST(describe(down.reason).find(server.identity.peer().to_string()) != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(versions_that_do_not_meet_end_both_links_with_the_same_sentence) {
  server.config.min_version = server.config.max_version = 7;
  auto [near, far] = connected_sockets();
  spawn(near, dialler, /*dialled=*/true);
  spawn(far, server, /*dialled=*/false);
  for (int i = 0; i < 2; ++i) {
    auto reason = next_down().reason;
    BOOST_TEST((code_of(reason) == errc::version_mismatch));
    BOOST_TEST(describe(reason).find("version 7") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(who_is_not_a_member_learns_it) {
  server.config.judge = [](auto, auto&) { return refusal{errc::not_a_member, "this swarm is private"}; };
  auto [near, far] = connected_sockets();
  spawn(near, dialler, /*dialled=*/true);
  spawn(far, server, /*dialled=*/false);
  for (int i = 0; i < 2; ++i) {
    auto reason = next_down().reason;
    BOOST_TEST((code_of(reason) == errc::not_a_member));
    BOOST_TEST(describe(reason) == "not_a_member: this swarm is private");
  }
}

BOOST_AUTO_TEST_CASE(a_handshake_that_never_ends_is_ended) {
  server.config.unproved_time = std::chrono::milliseconds{50};
  auto [near, far] = connected_sockets();
  descriptor silent{near};
  spawn(far, server, /*dialled=*/false);
  BOOST_TEST((code_of(next_down().reason) == errc::unreachable));
  BOOST_TEST(wait_for_end(silent.get()));
}

BOOST_AUTO_TEST_CASE(a_peer_that_has_proved_nothing_is_read_in_small_pieces_and_then_in_large_ones) {
  auto [near, far] = connected_sockets();
  descriptor stranger{near};
  // The beginning of a record that never ends: all of it is there before the first read.
  auto record = std::string{"\x16\x03\x01\x40\x00", 5} + std::string(3 * limits::unproved_read_bytes - 5, 'a');
  BOOST_REQUIRE(
      ::send(stranger.get(), record.data(), record.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(record.size()));
  auto reader = spawn(far, server, /*dialled=*/false);
  auto deadline = std::chrono::steady_clock::now() + patience;
  auto now = status(reader);
  // Each answer has been through the thread that reads.
  while (now.counters.bytes_received < record.size() && std::chrono::steady_clock::now() < deadline)
    now = status(reader);
  BOOST_TEST(now.counters.bytes_received == record.size());
  BOOST_TEST(now.largest_read == limits::unproved_read_bytes);

  constexpr size_t size = size_t{8} << 20;
  connect();
  BOOST_TEST(status(from_dialler).largest_read <= limits::unproved_read_bytes);
  open_stream(from_dialler, 1);
  self->send(from_dialler, frame_atom::value, step_with(pattern(size), 1, priority::bulk));
  BOOST_TEST(next_message().payload->size() == size);
  BOOST_TEST(status(from_server).largest_read > limits::unproved_read_bytes);
}

BOOST_AUTO_TEST_CASE(goodbye_carries_its_reason_to_the_other_end) {
  connect();
  self->send(from_dialler, close_atom::value, errc::duplicate_link, std::string{"another link is up"});
  for (int i = 0; i < 2; ++i) BOOST_TEST(describe(next_down().reason) == "duplicate_link: another link is up");
}

BOOST_AUTO_TEST_CASE(a_ping_comes_back) {
  connect();
  self->request(from_dialler, patience, ping_atom::value)
      .receive(
          [](const actors::link_quality& link) { BOOST_TEST(link.round_trip.count() > 0); },
          [](caf::error& reason) { BOOST_FAIL(describe(reason)); });
}

BOOST_AUTO_TEST_CASE(behind_a_peer_that_stops_to_read_the_queue_stays_below_its_ceiling_and_the_end_takes_no_second) {
  constexpr size_t ceiling = size_t{4} << 20;
  dialler.config.outbound_ceiling = ceiling;
  auto [near, far] = connected_sockets();
  manual_peer peer{far, server, /*dialled=*/false};
  auto sut = spawn(near, dialler, /*dialled=*/true);
  BOOST_REQUIRE(peer.greet());
  self->receive([](link_up&) {}, caf::after(patience) >> [] { BOOST_FAIL("no link came up"); });
  outgoing first;
  first.type = frame_type::attach;
  first.stream = 1;
  self->send(sut, frame_atom::value, first);
  // From here on the peer reads nothing.
  int refused = 0;
  for (int i = 0; i < 40; ++i)
    self->send(sut, frame_atom::value, step_with(pattern(size_t{1} << 20), 1, priority::bulk));
  self->request(sut, patience, frame_atom::value, step_with(pattern(size_t{1} << 20), 1, priority::bulk))
      .receive([](taken) {}, [&](caf::error& reason) { refused += code_of(reason) == errc::overloaded ? 1 : 0; });
  BOOST_TEST(refused == 1);
  BOOST_TEST(status(sut).counters.queued_bytes <= ceiling + 2 * limits::piece_bytes);
  auto begin = std::chrono::steady_clock::now();
  self->send(sut, close_atom::value, errc::stopping, std::string{"the node ends"});
  BOOST_TEST((code_of(next_down().reason) == errc::stopping));
  BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::seconds{1}));
}

/// Has nothing to do, and ends without an error.
static frame_sink_actor::behavior_type ends_in_order(frame_sink_actor::pointer self) {
  self->quit();
  return {[](frame_atom, incoming&) {}, [](ended_atom, uint64_t) {}};
}

BOOST_FIXTURE_TEST_CASE(a_link_whose_owner_has_nothing_left_to_do_ends_in_order_too, two_ends) {
  auto [near, far] = connected_sockets();
  spawn(near, dialler, /*dialled=*/true);
  link_start start;
  start.socket = far;
  start.config = server.shared();
  start.owner = [this](const link_actor&, const link_info&) { return system.spawn(ends_in_order); };
  auto there = spawn_link(system, std::move(start));
  self->monitor(there);
  for (int i = 0; i < 2; ++i) BOOST_TEST((code_of(next_down().reason) == errc::stopping));
}

BOOST_AUTO_TEST_CASE(no_error_is_not_looked_into) {
  BOOST_TEST((code_of({}) == errc::stopping));
  BOOST_TEST(last_of({}) == 0u);
  BOOST_TEST(sentence({}) == "no error");
}

BOOST_AUTO_TEST_CASE(whoever_asks_a_link_that_has_ended_is_answered) {
  connect();
  self->send_exit(from_dialler, caf::exit_reason::kill);
  // Before it has seen that, maybe, and when it surely has.
  for (int i = 0; i < 2; ++i) {
    self->request(from_dialler, patience, ping_atom::value)
        .receive(
            [](const actors::link_quality&) { BOOST_FAIL("a dead link was pinged"); },
            [](caf::error& reason) { BOOST_TEST((reason != caf::sec::request_timeout)); });
    // Both ends: no word of theirs is left unread.
    for (int end = 0; i == 0 && end < 2; ++end) next_down();
  }
}

BOOST_AUTO_TEST_CASE(a_link_that_has_ended_is_freed) {
  auto ends = std::make_unique<two_ends>();
  ends->connect();
  std::vector<caf::weak_actor_ptr> links;
  for (auto& link : ends->spawned) links.push_back(caf::actor_cast<caf::weak_actor_ptr>(link));
  ends->self->send(ends->from_dialler, close_atom::value, errc::stopping, std::string{"the node ends"});
  for (int i = 0; i < 2; ++i) ends->next_down();
  // As a tick of its own that was under way.
  for (auto& link : ends->spawned) caf::send_as(link, link, consumed_atom::value, uint64_t{1}, uint32_t{0});
  ends.reset();
  for (auto& link : links) BOOST_TEST(!link.lock());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
