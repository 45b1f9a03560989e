// What else can happen to a hop than that it is killed: it stops, it comes back, its network is cut one way, its
// neighbour or its substitute goes with it.  Each at steps 1, 7 and 39 of a session whose outputs are the reference's
// throughout.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "recovery_fixture.hpp"
#include "tests/support/proxied_server.hpp"

namespace corolla::tests {

namespace {

const std::vector<size_t> moments{1, 7, 39};

/// Every hop at every moment.
template <class Case>
void each_time(Case run) {
  for (size_t hop = 0; hop < spans.size(); ++hop)
    for (const auto at : moments) BOOST_TEST_CONTEXT("hop " << hop << " at step " << at) run(hop, at);
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_server_that_stops_is_overtaken_by_another, recovery_fixture) {
  const auto steps = golden.text("of_100").as_script();
  each_time([&](size_t hop, size_t at) {
    servers.wait_for_servers(2);
    scripted_session session{client, golden, steps};
    session.run(0, at);
    const auto victim = session.server_of(hop);
    servers.strike(victim, SIGSTOP);
    session.run(at, steps.size());
    BOOST_TEST(session.num_recoveries(ranges[hop]) >= 1u, session.told());
    session.check_counters();
    servers.replace(victim);
  });
}

/// It still has a step and sends on what it computes of it, when another one has taken its place.
BOOST_FIXTURE_TEST_CASE(a_server_that_comes_back_disturbs_nothing, recovery_fixture) {
  const auto steps = golden.text("of_100").as_script();
  each_time([&](size_t hop, size_t at) {
    scripted_session session{client, golden, steps};
    session.run(0, at);
    const auto victim = session.server_of(hop);
    servers.strike(victim, SIGSTOP);
    session.run(at, at + 2);
    servers.strike(victim, SIGCONT);
    session.run(at + 2, steps.size());
    BOOST_TEST(session.num_recoveries(ranges[hop]) >= 1u, session.told());
    session.check_counters();
  });
}

namespace {

struct cut_fixture {
  long_golden golden{"llama3-rope"};
  spare_swarm<proxied_server> servers{golden.folder(), spans, /*copies=*/2};
  driven_client client{golden.folder(), servers.address()};
};

/// Whoever dials the server, the client among them, reaches it no more, or hears nothing of it; it sees no connection
/// end. What was held back arrives later.
void cut_one_way(cut_fixture& f, runtime::direction which, size_t hop, size_t at) {
  const auto steps = f.golden.text("of_100").as_script();
  scripted_session session{f.client, f.golden, steps};
  session.run(0, at);
  auto& network = f.servers.find(session.server_of(hop)).network;
  network.stall(which);
  session.run(at, steps.size());
  // The client feeds the first hop, and is fed by the last.
  const auto is_felt = hop == (which == runtime::direction::to ? 0 : spans.size() - 1);
  if (is_felt) BOOST_TEST(!session.status().recoveries.empty());
  network.resume();
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_way_to_a_server_that_is_cut_costs_nothing, cut_fixture) {
  each_time([&](size_t hop, size_t at) { cut_one_way(*this, runtime::direction::to, hop, at); });
}

BOOST_FIXTURE_TEST_CASE(a_way_from_a_server_that_is_cut_costs_nothing, cut_fixture) {
  each_time([&](size_t hop, size_t at) { cut_one_way(*this, runtime::direction::from, hop, at); });
}

BOOST_FIXTURE_TEST_CASE(two_neighbours_that_are_killed_together_are_replaced_together, recovery_fixture) {
  const auto steps = golden.text("of_100").as_script();
  for (size_t hop = 0; hop + 1 < spans.size(); ++hop)
    for (const auto at : moments) BOOST_TEST_CONTEXT("hops " << hop << " and the next at step " << at) {
        servers.wait_for_servers(2);
        scripted_session session{client, golden, steps};
        session.run(0, at);
        const std::vector<std::string> victims{session.server_of(hop), session.server_of(hop + 1)};
        session.start(at);
        for (const auto& victim : victims) servers.strike(victim, SIGKILL);
        session.finish(at);
        session.run(at + 1, steps.size());
        for (const auto& range : {ranges[hop], ranges[hop + 1]})
          BOOST_TEST(session.num_recoveries(range) >= 1u, session.told());
        session.check_counters();
        for (const auto& victim : victims) servers.replace(victim);
      }
}

namespace {

/// A session that loses a hop at a moment, and then the substitute when the ears tell.
class twice_lost {
 public:
  twice_lost(recovery_fixture& fixture, size_t hop, size_t at, int signal)
      : f_{fixture}, hop_{hop}, at_{at}, signal_{signal} {}

  /// The substitute is struck when it has opened its session, or at the second piece that the client restores it with.
  void run(bool in_the_middle) {
    f_.servers.wait_for_servers();
    const auto steps = f_.golden.text("behind_300").as_script();
    overheard ears;
    ears.opened = [this, in_the_middle](const hop_session& where) {
      if (!where.restoring || where.blocks != ranges[hop_] || substitute_) return;
      substitute_ = where.peer;
      if (!in_the_middle) strike();
    };
    ears.sent = [this, in_the_middle](const std::string& peer, const actors::step& s) {
      if (in_the_middle && s.restores != actors::restored_part::none && peer == substitute_ && ++pieces_ == 2) strike();
    };
    scripted_session session{f_.client, f_.golden, steps, ears};
    session.run(0, at_);
    const auto victim = session.server_of(hop_);
    session.start(at_);
    f_.servers.strike(victim, SIGKILL);
    session.finish(at_);
    session.run(at_ + 1, steps.size());
    if (substitute_) {
      BOOST_TEST(struck_);
      BOOST_TEST(session.num_recoveries(ranges[hop_]) >= 1u, session.told());
      BOOST_TEST(session.server_of(hop_) != *substitute_);
      f_.servers.replace(*substitute_);
    } else {
      BOOST_TEST(at_ + 1 == steps.size());  // the last output had left the server before it was killed
    }
    session.check_counters();
    f_.servers.replace(victim);
  }

 private:
  void strike() {
    struck_ = true;
    f_.servers.strike(*substitute_, signal_);
  }

  recovery_fixture& f_;
  size_t hop_, at_;
  int signal_;
  std::optional<std::string> substitute_;
  size_t pieces_ = 0;
  bool struck_ = false;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_substitute_that_is_killed_before_its_replay_is_replaced, recovery_fixture) {
  each_time([&](size_t hop, size_t at) { twice_lost{*this, hop, at, SIGKILL}.run(/*in_the_middle=*/false); });
}

BOOST_FIXTURE_TEST_CASE(a_substitute_that_is_killed_in_its_replay_is_replaced, recovery_fixture) {
  for (const auto at : moments) twice_lost{*this, 0, at, SIGKILL}.run(/*in_the_middle=*/true);
}

/// Which takes the time that a replay may.
BOOST_FIXTURE_TEST_CASE(a_substitute_that_stops_in_its_replay_is_replaced, recovery_fixture) {
  for (size_t hop = 0; hop < spans.size(); ++hop) twice_lost{*this, hop, 7, SIGSTOP}.run(/*in_the_middle=*/false);
}

// -- rows that change places, and rollbacks -------------------------------------------------------------------------

namespace {

namespace data = boost::unit_test::data;

/// A session of three rows.  A server is killed while the step that reorders or rolls back is under way, or when it has
/// just been done.
void lose_in_script(recovery_fixture& f, const std::string& name, size_t hop, size_t at, bool under_way) {
  const auto steps = f.golden.steps(name);
  f.servers.wait_for_servers(2);
  scripted_session session{f.client, f.golden, steps, {}, /*spare=*/8};
  session.run(0, at);
  const auto victim = session.server_of(hop);
  session.start(at);
  if (under_way) f.servers.strike(victim, SIGKILL);
  session.finish(at);
  if (!under_way) f.servers.strike(victim, SIGKILL);
  session.run(at + 1, steps.size());
  BOOST_TEST(session.num_recoveries(ranges[hop]) >= 1u, session.told());
  session.check_counters();
  f.servers.replace(victim);
}

}  // namespace

BOOST_DATA_TEST_CASE_F(
    recovery_fixture, rows_that_changed_places_or_were_rolled_back_are_restored_as_they_are,
    data::make({"reordered", "rolled_back"}), name) {
  for (const auto under_way : {true, false})
    BOOST_TEST_CONTEXT((under_way ? "while the step is under way" : "just after the step"))
  each_time([&](size_t hop, size_t at) { lose_in_script(*this, name, hop, at, under_way); });
}

}  // namespace corolla::tests
