// What a node tells of its sessions, over links, in virtual time.
#include "tests/actors/route_fixture.hpp"

#include <list>
#include <set>

#include "actors/wire/limits.hpp"

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

}  // namespace

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
