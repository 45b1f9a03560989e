// What a node tells of its sessions, over links, in virtual time.
#include "tests/actors/route_fixture.hpp"

#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <caf/event_based_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/wire/messages.hpp"
#include "actors/wire/peer.hpp"
#include "tests/support/played_link.hpp"

using namespace corolla;
using namespace corolla::tests;

namespace {

constexpr uint64_t row_bytes = virtual_swarm::hidden_size * sizeof(float);

const session_status& only(const answer_ptr<session_list>& told) {
  BOOST_REQUIRE_MESSAGE(told->value.has_value(), told->text());
  BOOST_REQUIRE_EQUAL(told->value->total, 1u);
  BOOST_REQUIRE_EQUAL(told->value->sessions.size(), 1u);
  return told->value->sessions[0];
}

/// Takes every link, and never tells of its sessions.
caf::behavior silent_node(caf::event_based_actor* self) {
  auto asked = std::make_shared<std::vector<caf::response_promise>>();
  return {
      [](up_atom, const link_info&, const peer_actor&) { return taken{}; },
      [self, asked](sessions_atom) {
        asked->push_back(self->make_response_promise());
        return asked->back();
      }};
}

/// A peer actor whose link the test plays.
struct one_link {
  virtual_time time;
  std::shared_ptr<given> to_peer = std::make_shared<given>();
  caf::actor node = time.system().spawn(silent_node);
  wire::link_actor link = time.system().spawn(recording_link, to_peer);
  wire::peer_and_sink_actor peer =
      wire::spawn_peer(time.system(), link, info(), {caf::actor_cast<node_actor>(node), {}});
  user asker{time};

  ~one_link() {
    caf::anon_send_exit(link, caf::exit_reason::kill);
    caf::anon_send_exit(node, caf::exit_reason::kill);
    time.settle();
  }
  static link_info info() {
    link_info result;
    result.roles = {crypto::role::admin};
    return result;
  }
  template <class Body>
  void comes(wire::frame_type type, const Body& body) {
    wire::incoming frame;
    frame.type = type;
    frame.body = wire::encode_body(body);
    caf::anon_send(peer, wire::frame_atom::value, std::move(frame));
    time.settle();
  }
  answer_ptr<session_list> ask() {
    time.settle();
    return asker.ask<session_list>(peer, sessions_atom::value);
  }
  static wire::sessions_reply_body part(size_t sessions, bool more) {
    wire::sessions_reply_body body;
    body.tag = 1;
    body.done.value = 1;
    body.more.value = more;
    body.sessions.values.resize(sessions);
    return body;
  }
};

/// Who waits for a session, and hears of it.
caf::behavior ear(caf::event_based_actor*) {
  return {[](failed_atom, const session_failed&) {}, [](leaving_atom, const session_leaving&) {}};
}

/// A server, and opens as they come from its links.
struct opens {
  explicit opens(const std::function<void(node_settings&)>& adjust = {}) {
    swarm.adjust = adjust;
    server = swarm.add({0, 6}, /*cache_tokens=*/64);
    next = swarm.add({0, 6});
  }
  ~opens() {
    for (auto& client : clients) caf::anon_send_exit(client, caf::exit_reason::kill);
  }
  open_request request(uint8_t id, uint32_t max_length = 24, std::chrono::milliseconds alloc_timeout = 0ms) const {
    open_request result;
    result.session.bytes.fill(id);
    result.model = virtual_swarm::digests().model;
    result.blocks = {0, 6};
    result.blocks_digest = model::of_blocks(virtual_swarm::digests(), result.blocks);
    result.max_length = max_length;
    result.alloc_timeout = alloc_timeout;
    result.upstream = swarm.peer(0);
    result.next = swarm.peer(next);
    return result;
  }
  answer_ptr<session_actor> start(const open_request& request) {
    clients.push_back(swarm.time().system().spawn(ear));
    return asker.start<session_actor>(
        swarm.served(server).node, open_atom::value, request, swarm.peer(0),
        caf::actor_cast<session_events_actor>(clients.back()));
  }
  void settle(const answer_ptr<session_actor>& answer) {
    swarm.run_until([&] { return !answer->pending(); });
  }
  void end(size_t client) {
    caf::anon_send_exit(clients[client], caf::exit_reason::kill);
    swarm.time().settle();
  }

  virtual_swarm swarm;
  user asker{swarm.time()};
  std::vector<caf::actor> clients;  // in the order of their opens
  size_t server = 0, next = 0;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(of_two_opens_at_once_with_one_id_the_second_is_refused, opens) {
  const auto first = start(request(1)), second = start(request(1));
  settle(first);
  settle(second);
  BOOST_TEST(first->value.has_value(), first->text());
  BOOST_TEST(second->failed_with(errc::bad_request));
  BOOST_TEST(second->text().find("this session is being opened already") != std::string::npos, second->text());
  BOOST_TEST(swarm.status(server).log_room == 24 * row_bytes);
  const auto third = start(request(1));
  settle(third);
  BOOST_TEST(third->text().find("this session is open already") != std::string::npos, third->text());
  end(0);
  BOOST_TEST(swarm.left_at(server) == "");
}

BOOST_AUTO_TEST_CASE(opens_under_way_count_among_the_sessions) {
  opens all{[](node_settings& settings) { settings.max_sessions = 1; }};
  const auto first = all.start(all.request(1)), second = all.start(all.request(2));
  all.settle(first);
  all.settle(second);
  BOOST_TEST(first->value.has_value(), first->text());
  BOOST_TEST(second->failed_with(errc::no_room));
  all.end(0);
  BOOST_TEST(all.swarm.left_at(all.server) == "");
}

BOOST_FIXTURE_TEST_CASE(an_open_that_fails_gives_its_place_back, opens) {
  swarm.kill(next);
  const auto answer = start(request(1));
  BOOST_TEST(swarm.status(server).sessions == 1u);
  settle(answer);
  BOOST_TEST(answer->error.has_value());
  BOOST_TEST(swarm.left_at(server) == "");
}

BOOST_FIXTURE_TEST_CASE(an_open_whose_client_goes_while_it_waits_for_room_is_given_up, opens) {
  const auto first = start(request(1, 48));
  settle(first);
  const auto second = start(request(2, 48, 60s));
  swarm.pass(1s);
  BOOST_TEST(second->pending());
  BOOST_TEST(swarm.status(server).sessions == 2u);
  end(1);
  BOOST_TEST(second->failed_with(errc::cancelled));
  BOOST_TEST(swarm.status(server).sessions == 1u);
  BOOST_TEST(swarm.status(server).log_room == 48 * row_bytes);
  // Its turn comes, and what it would have got is free.
  end(0);
  BOOST_TEST(swarm.left_at(server) == "");
}

BOOST_FIXTURE_TEST_CASE(a_node_that_leaves_refuses_what_is_not_open_yet, opens) {
  const auto first = start(request(1, 48));
  settle(first);
  const auto second = start(request(2, 48, 60s));
  swarm.pass(1s);
  swarm.drain(server);
  swarm.time().settle();
  BOOST_TEST(second->failed_with(errc::stopping));
  BOOST_TEST(!swarm.end_of(server));
  end(0);
  BOOST_TEST(swarm.used_tokens(server) == 0u);
  swarm.pass(2s);
  BOOST_TEST(!swarm.is_alive(server));
}

BOOST_FIXTURE_TEST_CASE(a_node_that_ends_answers_opens_under_way, opens) {
  const auto answer = start(request(1));
  caf::anon_send(swarm.served(server).node, stop_atom::value);
  swarm.time().settle();
  BOOST_TEST(answer->failed_with(errc::stopping));
}

BOOST_FIXTURE_TEST_CASE(a_list_comes_in_parts, one_link) {
  auto answer = ask();
  comes(wire::frame_type::sessions_reply, part(24, true));
  BOOST_TEST(answer->pending());
  auto last = part(3, false);
  last.total = 40;
  comes(wire::frame_type::sessions_reply, last);
  BOOST_REQUIRE_MESSAGE(answer->value.has_value(), answer->text());
  BOOST_TEST(answer->value->sessions.size() == 27u);
  BOOST_TEST(answer->value->total == 40u);
  BOOST_TEST(to_peer->fault == "");
}

BOOST_FIXTURE_TEST_CASE(a_list_without_end_ends_the_link, one_link) {
  auto answer = ask();
  for (uint32_t told = 0; told + 24 <= wire::limits::listed_sessions; told += 24)
    comes(wire::frame_type::sessions_reply, part(24, true));
  BOOST_TEST(to_peer->fault == "");
  comes(wire::frame_type::sessions_reply, part(24, true));
  BOOST_TEST(to_peer->fault == "a list of sessions that has no end");
  BOOST_TEST(answer->pending());
}

BOOST_FIXTURE_TEST_CASE(a_part_of_nothing_before_more_ends_the_link, one_link) {
  ask();
  comes(wire::frame_type::sessions_reply, part(0, true));
  BOOST_TEST(to_peer->fault == "a list of sessions that has no end");
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_asks_again_before_it_is_answered_is_refused, one_link) {
  comes(wire::frame_type::sessions, wire::sessions_body{7});
  BOOST_TEST(to_peer->frames.empty());
  comes(wire::frame_type::sessions, wire::sessions_body{8});
  BOOST_REQUIRE(to_peer->frames.size() == 1u);
  const auto reply = wire::decode_body<wire::sessions_reply_body>(to_peer->frames[0].body);
  BOOST_REQUIRE(reply.has_value());
  BOOST_TEST(reply->tag == 8u);
  BOOST_TEST((reply->code.value == errc::overloaded));
}

BOOST_AUTO_TEST_CASE(a_node_tells_what_its_session_has_done) {
  virtual_swarm swarm;
  const auto first = swarm.add({0, 2}), second = swarm.add({2, 6});
  generation g{swarm};
  g.open();
  BOOST_TEST(g.forward(6), g.failure);  // chunks of 4 and 2
  for (int i = 0; i < 3; ++i) BOOST_TEST(g.forward(1), g.failure);
  const auto audit = g.audit();
  for (const auto server : {first, second}) {
    const auto told = swarm.sessions(server);
    const auto& s = only(told);
    const auto& own = audit.at(server == first ? 0 : 1);
    BOOST_TEST((s.client == swarm.peer(0)));
    BOOST_TEST((s.session != session_id{}));
    BOOST_TEST((s.blocks == own.blocks));
    BOOST_TEST(s.epoch == own.epoch);
    BOOST_TEST(s.last == 5u);
    BOOST_TEST(s.steps == 5u);
    BOOST_TEST(s.position == 9u);
    BOOST_TEST(s.restored == 0u);
    BOOST_TEST(!s.restoring);
    BOOST_TEST(s.dropped == 0u);
    BOOST_TEST(s.log_bytes == own.log_bytes);
    BOOST_TEST(s.client_bytes == (server == first ? 9 * row_bytes : 0));
    BOOST_TEST(s.server_bytes == (server == first ? 0 : 9 * row_bytes));
  }
}

BOOST_AUTO_TEST_CASE(a_node_without_sessions_says_so) {
  virtual_swarm swarm;
  const auto server = swarm.add({0, 6});
  const auto told = swarm.sessions(server);
  BOOST_REQUIRE_MESSAGE(told->value.has_value(), told->text());
  BOOST_TEST(told->value->total == 0u);
  BOOST_TEST(told->value->sessions.empty());
}

BOOST_AUTO_TEST_CASE(more_sessions_than_a_frame_holds_come_all) {
  virtual_swarm swarm;
  const auto server = swarm.add({0, 6});
  constexpr size_t many = 2 * wire::limits::sessions_in_frame + 1;
  std::list<generation> all;
  for (size_t i = 0; i < many; ++i) all.emplace_back(swarm, /*batch=*/1, /*max_length=*/16).open();
  const auto told = swarm.sessions(server);
  BOOST_REQUIRE_MESSAGE(told->value.has_value(), told->text());
  BOOST_TEST(told->value->total == many);
  std::set<session_id> ids;
  for (const auto& s : told->value->sessions) ids.insert(s.session);
  BOOST_TEST(ids.size() == many);
}

BOOST_AUTO_TEST_CASE(who_is_no_admin_is_told_nothing) {
  virtual_swarm swarm;
  const auto server = swarm.add({0, 6});
  swarm.roles = {crypto::role::client};
  generation g{swarm};
  g.open();
  BOOST_TEST(swarm.sessions(server)->failed_with(errc::not_allowed));
  BOOST_TEST(g.forward(3), g.failure);
}

BOOST_AUTO_TEST_CASE(after_a_loss_survivors_have_restored_nothing_and_the_substitute_everything) {
  virtual_swarm swarm;
  const auto first = swarm.add({0, 2}), middle = swarm.add({2, 4}), last = swarm.add({4, 6});
  generation g{swarm};
  g.open();
  BOOST_TEST(g.forward(9), g.failure);  // three chunks
  const auto spare = swarm.add({2, 4});
  swarm.kill(middle);
  BOOST_TEST(g.forward(1), g.failure);
  for (const auto server : {first, last}) {
    const auto told = swarm.sessions(server);
    const auto& s = only(told);
    BOOST_TEST(s.restored == 0u);
    BOOST_TEST(s.last == 4u);
    BOOST_TEST(s.steps == 4u);
    BOOST_TEST(s.position == 10u);
    BOOST_TEST(s.client_bytes == (server == first ? 10 * row_bytes : 0));
  }
  const auto told = swarm.sessions(spare);
  const auto& s = only(told);
  BOOST_TEST(s.restored == 9u);
  BOOST_TEST(s.last == 4u);
  BOOST_TEST(s.steps == 1u);
  BOOST_TEST(s.position == 10u);
  BOOST_TEST(s.client_bytes == 0u);
  BOOST_TEST(s.server_bytes == 10 * row_bytes);
}
