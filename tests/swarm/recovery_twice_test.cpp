// Substitutes that are lost in their turn, before or while they are restored.
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "proxied_chain.hpp"
#include "recovery_fixture.hpp"

namespace corolla::tests {

namespace {

/// A session that loses a hop at a moment, and then the substitute when the ears tell.
class twice_lost {
 public:
  twice_lost(recovery_fixture& fixture, uint32_t block, size_t at, int signal)
      : f_{fixture}, block_{block}, at_{at}, signal_{signal} {}

  /// The substitute is struck when it has opened its session, or at the second piece that the client restores it with.
  void run(bool in_the_middle) {
    f_.servers.wait_for_servers();
    const auto steps = f_.golden.text("behind_300").as_script();
    overheard ears;
    ears.opened = [this, in_the_middle](const hop_session& where) {
      if (!where.restoring || !where.blocks.contains({block_, block_ + 1}) || substitute_) return;
      substitute_ = where.peer;
      if (!in_the_middle) strike();
    };
    ears.sent = [this, in_the_middle](const std::string& peer, const actors::step& s) {
      if (in_the_middle && s.restores != actors::restored_part::none && peer == substitute_ && ++pieces_ == 2) strike();
    };
    scripted_session session{f_.client, f_.golden, steps, ears};
    session.run(0, at_);
    const auto victim = session.hop_with(block_);
    session.start(at_);
    f_.servers.strike(victim.peer, SIGKILL);
    session.finish(at_);
    session.run(at_ + 1, steps.size());
    if (substitute_) {
      BOOST_TEST(struck_);
      BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
      BOOST_TEST(session.hop_with(block_).peer != *substitute_);
      f_.servers.replace(*substitute_);
    } else {
      BOOST_TEST(at_ + 1 == steps.size());  // the last output had left the server before it was killed
    }
    session.check_counters({victim.blocks});
    f_.servers.replace(victim.peer);
  }

 private:
  void strike() {
    struck_ = true;
    f_.servers.strike(*substitute_, signal_);
  }

  recovery_fixture& f_;
  uint32_t block_;
  size_t at_;
  int signal_;
  std::optional<std::string> substitute_;
  size_t pieces_ = 0;
  bool struck_ = false;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_substitute_that_is_killed_before_its_replay_is_replaced, recovery_fixture) {
  each_time([&](uint32_t block, size_t at) { twice_lost{*this, block, at, SIGKILL}.run(/*in_the_middle=*/false); });
}

BOOST_FIXTURE_TEST_CASE(a_substitute_that_is_killed_in_its_replay_is_replaced, recovery_fixture) {
  for (const auto at : moments) twice_lost{*this, 0, at, SIGKILL}.run(/*in_the_middle=*/true);
}

/// Which takes the time that a replay may.
BOOST_FIXTURE_TEST_CASE(a_substitute_that_stops_in_its_replay_is_replaced, recovery_fixture) {
  for (const uint32_t block : {0, 1, 3}) twice_lost{*this, block, 7, SIGSTOP}.run(/*in_the_middle=*/false);
}

namespace {

/// Rows reach a server so slowly that a replay takes most of a second.
const runtime::fault_settings slow_network{.bytes_per_s = 100'000};
constexpr size_t num_prompt_bytes = size_t{300} * 64 * sizeof(float);

/// A chain whose servers give rows to the next ones through the proxies of those; of the one that has `block` alone
/// there are as many servers as are lost of it, and one.
struct slow_chain {
  long_golden golden{"llama3-rope"};
  uint32_t block;
  proxied_chain servers;
  driven_client client{golden.folder(), servers.address()};

  explicit slow_chain(uint32_t lost)
      : block{lost}, servers{golden.folder(), parts(lost), dialled_by::giver, slow_network} {}

  static std::vector<proxied_chain::part> parts(uint32_t lost) {
    std::vector<proxied_chain::part> result;
    const auto of = [](uint32_t begin, uint32_t end) { return to_string(model::block_range{begin, end}); };
    result.push_back({of(0, lost)});
    result.push_back({of(lost, lost + 1), 2 * moments.size() + 1});
    if (lost + 1 < 4) result.push_back({of(lost + 1, 4)});
    return result;
  }

  /// The substitute is killed when a quarter of what it is to have has come to it from the hop before it.
  void kill_in_replay(size_t at) {
    const auto steps = golden.text("behind_300").as_script();
    std::promise<std::string> opened;
    uint64_t before = 0;
    bool is_open = false;
    overheard ears;
    ears.opened = [&](const hop_session& where) {
      if (!where.restoring || std::exchange(is_open, true)) return;
      before = servers.find(where.peer).network.passed(runtime::direction::to);
      opened.set_value(where.peer);
    };
    scripted_session session{client, golden, steps, ears};
    session.run(0, at);
    const auto victim = session.hop_with(block);
    servers.find(victim.peer).node.child().signal(SIGKILL);
    session.start(at);
    auto open = opened.get_future();
    BOOST_TEST_REQUIRE((open.wait_for(patience) == std::future_status::ready));
    const auto name = open.get();
    auto& substitute = servers.find(name);
    BOOST_TEST_REQUIRE(
        substitute.network.wait_until_passed(runtime::direction::to, before + num_prompt_bytes / 4, patience));
    substitute.node.child().signal(SIGKILL);
    BOOST_TEST(substitute.network.passed(runtime::direction::to) - before < num_prompt_bytes);
    session.finish(at);
    session.run(at + 1, steps.size());
    BOOST_TEST(session.num_recoveries(victim.blocks) >= 1u, session.told());
    BOOST_TEST(session.hop_with(block).peer != name);
    session.check_counters({victim.blocks});
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_substitute_that_is_killed_in_its_replay_from_another_server_is_replaced) {
  for (const uint32_t block : {1, 3}) {
    slow_chain chain{block};
    for (const auto at : moments) BOOST_TEST_CONTEXT("block " << block << " at step " << at) chain.kill_in_replay(at);
  }
}

}  // namespace corolla::tests
