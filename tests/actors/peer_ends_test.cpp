// What is left of links that came and went: nothing, whatever was under way.
#include <boost/test/unit_test.hpp>

#include <algorithm>

#include <caf/typed_event_based_actor.hpp>

#include "tests/support/directory_swarm.hpp"

namespace corolla::tests {
namespace {

using namespace actors;
using namespace std::chrono_literals;

struct two_nodes : directory_swarm {
  two_nodes() {
    add();
    add();
    publish(0, record());
    publish(1, record());
  }
  /// Peer actors that somebody still has a hold of.
  size_t num_peers() const {
    return static_cast<size_t>(
        std::count_if(peers().begin(), peers().end(), [](auto& peer) { return peer.lock() != nullptr; }));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(peer_ends, two_nodes)

BOOST_AUTO_TEST_CASE(a_peer_actor_is_freed_with_its_link) {
  for (int i = 0; i < 10; ++i) {
    link(0, 1);
    BOOST_TEST(num_peers() == 2u);
    end(0, 1);
    BOOST_TEST(num_peers() == 0u);
  }
}

BOOST_AUTO_TEST_CASE(what_a_silent_peer_still_owes_does_not_outlive_the_link) {
  link(0, 1);
  cut(0, 1);
  BOOST_TEST(num_peers() == 2u);
  publish(0, record(/*model=*/2));
  pass(30s);
  BOOST_TEST(num_peers() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
