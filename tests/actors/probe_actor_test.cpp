// What a node knows of the ways to others, in virtual time.
#include "actors/probe_actor.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <memory>

#include <caf/typed_event_based_actor.hpp>

#include "tests/support/records.hpp"
#include "tests/support/virtual_time.hpp"

namespace corolla::tests {

using namespace actors;
using namespace std::chrono_literals;

namespace {

/// What pings of a peer come back with; nothing: they do not.
struct line {
  std::optional<link_quality> quality;
  uint32_t pings = 0;
};
using line_ptr = std::shared_ptr<line>;

peer_actor::behavior_type peer(peer_actor::pointer self, line_ptr of) {
  return {
      [](open_atom, const open_request&, const session_events_actor&) -> caf::result<session_control_actor> {
        return make_error(errc::bad_request, "nothing is opened here");
      },
      [](attach_atom, const edge_target&, const edge_owner_actor&) -> caf::result<edge_actor> {
        return make_error(errc::bad_request, "nothing is attached here");
      },
      [](record_atom, const signed_server_record&) { return taken{}; },
      [](snapshot_atom) { return taken{}; },
      [](suspect_atom, const signed_suspicion&) {},
      [](drain_atom) { return uint32_t{0}; },
      [](sessions_atom) { return session_list{}; },
      [self, of](ping_atom) -> caf::result<link_quality> {
        ++of->pings;
        if (of->quality) return *of->quality;
        return self->make_response_promise<link_quality>();
      },
      [](close_atom, errc, const std::string&) {}};
}

struct probe_fixture {
  virtual_time time;
  user asker{time};
  std::map<peer_id, std::pair<line_ptr, peer_actor>> reachable;
  uint32_t dials = 0;
  probe_actor sut;

  probe_fixture() {
    // As a node: who is reached is told to the probe.
    auto connector = time.system().spawn([this](connector_actor::pointer) -> connector_actor::behavior_type {
      return {
          [this](connect_atom, const peer_id& whom) -> caf::result<peer_actor> {
            ++dials;
            const auto found = reachable.find(whom);
            if (found == reachable.end()) return make_error(errc::unknown_peer, "nobody");
            caf::anon_send(sut, up_atom::value, whom, found->second.second);
            return found->second.second;
          },
          [](connect_atom, const peer_id&, std::chrono::milliseconds) -> caf::result<peer_actor> {
            return make_error(errc::bad_request, "a probe does not wait for records");
          }};
    });
    sut = spawn_probe(time.system(), connector);
  }
  ~probe_fixture() { caf::anon_send_exit(sut, caf::exit_reason::kill); }

  line& add(uint8_t id, std::optional<link_quality> quality) {
    auto of = std::make_shared<line>(line{quality});
    reachable[named(id)] = {of, time.system().spawn(peer, of)};
    return *of;
  }
  void link(uint8_t id) { asker.tell(sut, up_atom::value, named(id), reachable.at(named(id)).second); }

  std::vector<ping_time> known() { return asker.ask<std::vector<ping_time>>(sut, snapshot_atom::value)->value.value(); }
  answer_ptr<std::vector<ping_time>> look(std::vector<peer_id> wanted, std::chrono::milliseconds patience) {
    return asker.ask<std::vector<ping_time>>(sut, snapshot_atom::value, std::move(wanted), patience);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(probe, probe_fixture)

BOOST_AUTO_TEST_CASE(a_link_is_pinged_when_it_comes_up_and_every_ten_seconds_and_delays_are_averaged) {
  auto& line = add(1, link_quality{40ms, 1e6f});
  BOOST_TEST(known().empty());
  link(1);
  BOOST_TEST(line.pings == 3u);
  BOOST_TEST((known() == std::vector<ping_time>{{named(1), 40ms, 1e6f}}));
  line.quality = link_quality{80ms, 2e6f};
  time.pass(9s);
  BOOST_TEST(line.pings == 3u);
  time.pass(1s);
  BOOST_TEST(line.pings == 4u);
  BOOST_TEST((known() == std::vector<ping_time>{{named(1), 50ms, 2e6f}}));
  // What is shorter was disturbed by less.
  line.quality = link_quality{38ms, 2e6f};
  time.pass(10s);
  BOOST_TEST(line.pings == 5u);
  BOOST_TEST((known() == std::vector<ping_time>{{named(1), 38ms, 2e6f}}));
}

BOOST_AUTO_TEST_CASE(what_has_ended_is_forgotten_and_pinged_no_more) {
  auto& line = add(1, link_quality{40ms, 0});
  link(1);
  caf::anon_send_exit(reachable.at(named(1)).second, caf::exit_reason::kill);
  time.settle();
  BOOST_TEST(known().empty());
  time.pass(60s);
  BOOST_TEST(line.pings == 3u);
}

BOOST_AUTO_TEST_CASE(whoever_asks_for_servers_waits_until_they_were_linked_and_pinged) {
  add(1, link_quality{40ms, 0});
  add(2, link_quality{20ms, 0});
  link(1);
  const auto answer = look({named(1), named(2)}, 300ms);
  BOOST_TEST_REQUIRE(answer->value.has_value());
  BOOST_TEST((*answer->value == std::vector<ping_time>{{named(1), 40ms}, {named(2), 20ms}}));
  BOOST_TEST(dials == 1u);
  // Now they are known.
  BOOST_TEST(look({named(2)}, 300ms)->value.has_value());
  BOOST_TEST(dials == 1u);
}

BOOST_AUTO_TEST_CASE(nobody_is_waited_for_who_cannot_be_reached_or_beyond_the_time_given) {
  const auto gone = look({named(9)}, 300ms);
  BOOST_TEST_REQUIRE(gone->value.has_value());
  BOOST_TEST(gone->value->empty());
  add(1, std::nullopt);
  add(2, link_quality{20ms, 0});
  const auto silent = look({named(1), named(2)}, 300ms);
  const auto patient = look({named(1)}, 10s);
  time.pass(299ms);
  BOOST_TEST(silent->pending());
  time.pass(1ms);
  BOOST_TEST_REQUIRE(silent->value.has_value());
  BOOST_TEST((*silent->value == std::vector<ping_time>{{named(2), 20ms}}));
  // A ping is given two seconds.
  BOOST_TEST(patient->pending());
  time.pass(1700ms);
  BOOST_TEST(patient->value.has_value());
}

BOOST_AUTO_TEST_CASE(who_could_not_be_reached_is_left_alone_for_a_minute) {
  BOOST_TEST(look({named(9)}, 300ms)->value.has_value());
  BOOST_TEST(dials == 1u);
  add(9, link_quality{20ms, 0});
  time.pass(59s);
  BOOST_TEST(look({named(9)}, 300ms)->value->empty());
  BOOST_TEST(dials == 1u);
  time.pass(1s);
  BOOST_TEST(look({named(9)}, 300ms)->value->size() == 1u);
  BOOST_TEST(dials == 2u);
}

BOOST_AUTO_TEST_CASE(one_whose_link_ends_meanwhile_is_not_waited_for) {
  add(1, std::nullopt);
  const auto answer = look({named(1)}, 10s);
  BOOST_TEST(answer->pending());
  caf::anon_send_exit(reachable.at(named(1)).second, caf::exit_reason::kill);
  time.settle();
  BOOST_TEST(answer->value.has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
