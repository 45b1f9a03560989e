// What a peer may ask of a directory, and what one may leave unanswered, over a link that the test plays.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include "actors/wire/convert.hpp"
#include "actors/wire/messages.hpp"
#include "actors/wire/peer.hpp"
#include "tests/support/directory_swarm.hpp"
#include "tests/support/played_link.hpp"

using namespace corolla;
using namespace corolla::tests;
using namespace corolla::actors;

namespace {

/// Takes every link.
caf::behavior welcoming_node(caf::event_based_actor*) {
  return {[](up_atom, const link_info&, const peer_actor&) { return taken{}; }};
}

/// What a directory was asked, which it answers when it is told to.
struct asked {
  std::deque<caf::response_promise> records;
  size_t in_all = 0;
  caf::error refusal;  // if not empty, for every record
};
caf::behavior slow_directory(caf::event_based_actor* self, std::shared_ptr<asked> all) {
  return {
      [self, all](record_atom, const signed_server_record&, const peer_id&) {
        ++all->in_all;
        all->records.push_back(self->make_response_promise());
        return all->records.back();
      },
      [](digest_atom) { return std::vector{policy::digest_range{}}; },
      [all](tick_atom) {
        for (auto& promise : std::exchange(all->records, {}))
          if (all->refusal)
            promise.deliver(all->refusal);
          else
            promise.deliver(true);
      }};
}

struct slow_end {
  virtual_time time;
  std::shared_ptr<given> to_peer = std::make_shared<given>();
  std::shared_ptr<asked> told = std::make_shared<asked>();
  caf::actor node = time.system().spawn(welcoming_node);
  caf::actor directory = time.system().spawn(slow_directory, told);
  wire::link_actor link = time.system().spawn(recording_link, to_peer);
  wire::peer_and_sink_actor peer = wire::spawn_peer(
      time.system(), link, link_info{},
      {caf::actor_cast<node_actor>(node), caf::actor_cast<directory_actor>(directory)});
  user asker{time};
  signed_server_record record = signed_anew();

  slow_end() { time.settle(); }
  ~slow_end() {
    caf::anon_send_exit(link, caf::exit_reason::kill);
    told->records.clear();
    caf::anon_send_exit(node, caf::exit_reason::kill);
    caf::anon_send_exit(directory, caf::exit_reason::kill);
    time.settle();
  }
  static signed_server_record signed_anew() {
    return {wire::sign(crypto::identity::generate(), directory_swarm::record()), std::chrono::milliseconds{0}};
  }
  template <class Body>
  void comes(wire::frame_type type, const Body& body) {
    wire::incoming frame;
    frame.type = type;
    frame.body = wire::encode_body(body);
    caf::anon_send(peer, wire::frame_atom::value, std::move(frame));
  }
  void records_come(size_t count, uint64_t first_tag = 0) {
    for (size_t i = 0; i < count; ++i)
      comes(wire::frame_type::record, wire::to_wire(record, first_tag == 0 ? 0 : first_tag + i));
    time.settle();
  }
  void directory_answers() {
    caf::anon_send(directory, tick_atom::value);
    time.settle();
  }
  size_t sent(wire::frame_type type) const {
    return static_cast<size_t>(
        std::count_if(to_peer->frames.begin(), to_peer->frames.end(), [&](auto& frame) { return frame.type == type; }));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(peer_directory, slow_end)

BOOST_AUTO_TEST_CASE(a_directory_is_asked_for_64_things_at_a_time_on_behalf_of_a_peer) {
  records_come(4096, /*first_tag=*/1);
  BOOST_TEST(told->in_all == 64u);
  directory_answers();
  BOOST_TEST(told->in_all == 128u);
  while (told->in_all < 4096) directory_answers();
  directory_answers();
  BOOST_TEST(sent(wire::frame_type::record_taken) == 4096u);
  BOOST_TEST(to_peer->fault == "");
}

BOOST_AUTO_TEST_CASE(a_peer_that_tells_more_than_a_node_can_take_in_is_told_to_go) {
  records_come(64 + 8192);
  BOOST_TEST(to_peer->fault == "");
  records_come(1);
  BOOST_TEST(to_peer->fault == "more is told of servers than this node can take in");
}

BOOST_AUTO_TEST_CASE(records_that_wait_are_taken_before_whoever_asked_for_them_hears_that_they_are_there) {
  auto everything = asker.ask<taken>(peer, snapshot_atom::value);
  records_come(65);
  comes(wire::frame_type::snapshot_end, wire::snapshot_end_body{});
  time.settle();
  BOOST_TEST(everything->pending());
  directory_answers();
  BOOST_TEST(told->in_all == 65u);
  BOOST_TEST(everything->value.has_value());
}

BOOST_AUTO_TEST_CASE(who_refuses_a_record_says_so_in_its_place_and_of_one_without_a_tag_nothing) {
  told->refusal = make_error(errc::overloaded, "full");
  records_come(2);
  records_come(2, /*first_tag=*/1);
  directory_answers();
  BOOST_TEST(sent(wire::frame_type::refused) == 2u);
}

BOOST_AUTO_TEST_CASE(a_refusal_answers_the_oldest_record_that_has_no_answer) {
  std::vector<answer_ptr<taken>> answers;
  for (int i = 0; i < 3; ++i) answers.push_back(asker.ask<taken>(peer, record_atom::value, record));
  const auto first = wire::decode_body<wire::record_body>(to_peer->frames.front().body)->tag;
  comes(wire::frame_type::record_taken, wire::record_taken_body{first});
  comes(wire::frame_type::refused, wire::refused_body{{errc::overloaded}, {"full"}});
  time.settle();
  BOOST_TEST(answers[0]->value.has_value());
  BOOST_TEST(answers[1]->failed_with(errc::overloaded));
  BOOST_TEST(answers[2]->pending());
  // One that is about nothing changes nothing.
  comes(wire::frame_type::refused, wire::refused_body{{errc::overloaded}, {"full"}});
  comes(wire::frame_type::refused, wire::refused_body{{errc::overloaded}, {"full"}});
  time.settle();
  BOOST_TEST(answers[2]->failed_with(errc::overloaded));
  BOOST_TEST(to_peer->fault == "");
}

BOOST_AUTO_TEST_CASE(a_peer_that_answers_no_record_keeps_a_bounded_number_waiting) {
  const auto first = asker.ask<taken>(peer, record_atom::value, record);
  const auto second = asker.ask<taken>(peer, record_atom::value, record);
  for (int i = 2; i < 1024; ++i) asker.start<taken>(peer, record_atom::value, record);
  time.settle();
  BOOST_TEST(first->pending());
  asker.ask<taken>(peer, record_atom::value, record);
  BOOST_TEST(first->failed_with(errc::overloaded));
  BOOST_TEST(second->pending());
}

BOOST_AUTO_TEST_SUITE_END()
