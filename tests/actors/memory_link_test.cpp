// The in-memory link is a link: what the tests of actors rely on.
#include <boost/test/unit_test.hpp>

#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>

#include "tests/support/link_ends.hpp"
#include "tests/support/memory_link.hpp"

namespace corolla::tests {
namespace {

using namespace actors;
using namespace actors::wire;

struct virtual_config : caf::actor_system_config {
  virtual_config() { set("scheduler.policy", caf::atom("testing")); }
};

struct two_memory_ends {
  virtual_config options;
  caf::actor_system system{options};
  caf::scheduler::test_coordinator& scheduler{dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler())};
  caf::scoped_actor self{system};
  node_end dialler, server;
  memory_links links;

  ~two_memory_ends() {
    for (auto& link : {links.dialler, links.other})
      if (link) self->send_exit(link, caf::exit_reason::kill);
    scheduler.run();
  }

  void connect() {
    links = connect_in_memory(
        system, {dialler.shared(), reporting_to(system, caf::actor{self})},
        {server.shared(), reporting_to(system, caf::actor{self})});
    self->monitor(links.dialler);
    self->monitor(links.other);
    scheduler.run();
  }
  void pass(std::chrono::milliseconds time) {
    scheduler.advance_time(time);
    scheduler.run();
  }
  template <class T>
  std::vector<T> received() {
    std::vector<T> all;
    while (self->has_next_message()) {
      bool matched = false;
      self->receive(
          [&](T& got) {
            all.push_back(std::move(got));
            matched = true;
          },
          caf::after(std::chrono::seconds{0}) >> [] {});
      if (!matched) break;
    }
    return all;
  }
  void send(const link_actor& to, frame_type type, uint64_t stream, std::byte mark = {}) {
    outgoing message;
    message.type = type;
    message.stream = stream;
    message.body = {mark};
    self->send(to, frame_atom::value, std::move(message));
    scheduler.run();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(memory_link, two_memory_ends)

BOOST_AUTO_TEST_CASE(both_ends_learn_who_the_other_is) {
  connect();
  auto up = received<link_up>();
  BOOST_REQUIRE(up.size() == 2u);
  for (auto& one : up) BOOST_TEST((one.info.peer == (one.info.dialled ? server : dialler).identity.peer()));
}

BOOST_AUTO_TEST_CASE(a_message_takes_as_long_as_the_way_is) {
  connect();
  received<link_up>();
  links.there->delay = std::chrono::milliseconds{30};
  send(links.dialler, frame_type::open, 1);
  pass(std::chrono::milliseconds{29});
  BOOST_TEST(received<link_message>().empty());
  pass(std::chrono::milliseconds{1});
  BOOST_TEST(received<link_message>().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_way_that_is_cut_ends_the_link_after_the_silence) {
  connect();
  received<link_up>();
  links.back->cut = true;
  pass(limits::default_silence / 2);
  BOOST_TEST(received<caf::down_msg>().empty());
  pass(limits::default_silence);
  auto down = received<caf::down_msg>();
  BOOST_REQUIRE(!down.empty());
  BOOST_TEST((code_of(down[0].reason) == errc::link_lost));
}

BOOST_AUTO_TEST_CASE(messages_come_twice_or_out_of_order_where_a_test_wants_it) {
  connect();
  received<link_up>();
  send(links.dialler, frame_type::open, 1);
  received<link_message>();
  links.there->tamper = duplicate_every(2);
  for (int i = 0; i < 4; ++i) send(links.dialler, frame_type::close, 1, static_cast<std::byte>(i));
  BOOST_TEST(received<link_message>().size() == 6u);
  links.there->tamper = shuffle_within(/*window=*/4, /*seed=*/1);
  for (int i = 0; i < 20; ++i) send(links.dialler, frame_type::close, 1, static_cast<std::byte>(i));
  auto got = received<link_message>();
  BOOST_TEST(got.size() == 16u);
  BOOST_TEST(!std::is_sorted(got.begin(), got.end(), [](auto& a, auto& b) { return a.message.body < b.message.body; }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
