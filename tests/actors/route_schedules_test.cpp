// Random schedules of faults, in virtual time: no token is lost, no session is left behind, and what fails can be
// replayed by its seed.
#include <cstdlib>
#include <memory>

#include "tests/actors/chain.hpp"
#include "tests/support/seeded_random.hpp"

namespace corolla::tests {

namespace {

const std::vector<model::block_range> shapes{{0, 2}, {2, 4}, {4, 6}, {0, 3}, {3, 6}, {1, 5}, {0, 6}};
constexpr uint32_t max_length = 64;

class schedule {
 public:
  explicit schedule(uint32_t seed)
      : ids_{seed}, random_{seed}, swarm_{std::chrono::microseconds{chance(2) ? up_to(20'000) : 0}} {
    if (chance(2)) swarm_.repeat_steps(1 + up_to(4), seed);
    for (size_t i = 0; i < 3; ++i) swarm_.add(shapes[i]);
    for (size_t i = 0; i < 3; ++i) swarm_.add(shapes[up_to(shapes.size())]);
    first_ = std::make_unique<generation>(swarm_, 1 + up_to(3), max_length, seed);
    if (chance(3)) second_ = std::make_unique<generation>(swarm_, 1 + up_to(2), max_length, seed + 1);
  }

  /// What went wrong, or nothing.
  std::string run() {
    auto failure = open();
    for (uint32_t step = 0; step < 10 && failure.empty(); ++step) {
      if (chance(4)) change_delays();
      if (step == 1 && chance(2)) announce();
      failure = take(step);
      if (!failure.empty()) failure = "step " + std::to_string(step) + ": " + failure;
    }
    for (auto s : stopped_) swarm_.resume(s);
    // The silence of a link, and what is mended after it by slow ones.
    swarm_.pass(15s);
    if (failure.empty()) failure = check_counters();
    first_.reset();
    second_.reset();
    swarm_.pass(2s);
    for (size_t i = 0; i < swarm_.size() && failure.empty(); ++i)
      if (swarm_.is_alive(i)) failure = swarm_.left_at(i);
    return failure;
  }

 private:
  uint32_t up_to(size_t n) { return static_cast<uint32_t>(random_() % n); }
  bool chance(uint32_t one_in) { return up_to(one_in) == 0; }
  size_t any_server() { return 1 + up_to(swarm_.size() - 1); }

  std::string open() {
    auto opened = first_->start_to_open();
    if (chance(4)) {
      swarm_.run(up_to(300));
      strike();
    }
    swarm_.run_until([&] { return !opened->pending(); });
    if (!opened->value) return "opening: " + opened->text();
    if (second_) {
      opened = second_->start_to_open();
      swarm_.run_until([&] { return !opened->pending(); });
      if (!opened->value) return "opening the second: " + opened->text();
    }
    return {};
  }

  void change_delays() {
    for (size_t i = 1; i < swarm_.size(); ++i)
      swarm_.slow_down(i, std::chrono::microseconds{chance(2) ? up_to(15'000) : 0});
    if (chance(5)) swarm_.slow_down(any_server(), 400ms);  // late, and not lost
  }
  void announce() {
    for (size_t i = 1; i < swarm_.size(); ++i)
      if (swarm_.is_alive(i)) swarm_.announce(i, 1 + up_to(500));
  }

  /// A hop of the first generation, or any server.
  size_t victim() {
    const auto hops = first_->status().hops;
    if (hops.empty() || chance(4)) return any_server();
    return swarm_.server_of(hops[up_to(hops.size())].peer);
  }

  void strike() {
    const auto server = victim();
    if (!swarm_.is_alive(server)) return;
    switch (up_to(10)) {
      case 0:
        swarm_.stop(server);
        stopped_.push_back(server);
        break;
      case 1:
        swarm_.fail_once(server);
        break;
      case 2:
        swarm_.cut_between(server, any_server());
        break;
      case 3:
        for (auto s : std::exchange(stopped_, {})) swarm_.resume(s);
        break;
      case 4:
        swarm_.drain(server);
        break;
      case 5:
        swarm_.cut_from(server);
        break;
      case 6:
        swarm_.cut_to(server);
        break;
      default:
        swarm_.kill(server);
    }
    // Whatever is lost, each block stays with somebody.
    swarm_.add(shapes[up_to(3)]);
    swarm_.add({0, 6});
  }

  std::string take(uint32_t step) {
    auto& g = *first_;
    if (step > 0 && chance(8)) g.roll_back(up_to(g.position) + 1);
    std::vector<uint32_t> order;
    const auto batch = g.options.batch;
    if (step > 0 && batch > 1 && chance(3))
      for (uint32_t b = 0; b < batch; ++b) order.push_back(up_to(batch));
    const auto tokens = step == 0 || chance(6) ? 1 + up_to(12) : 1;
    if (g.position + tokens > max_length) return {};
    // Of two generations side by side, one may fail: the other goes on.
    answer_ptr<forward_reply> nonsense;
    if (second_ && chance(6))
      nonsense = second_->forward_nonsense();
    else if (second_)
      second_->start(1 + up_to(2));
    g.start(tokens, order);
    swarm_.run(up_to(300));
    if (chance(3) && swarm_.size() < 18) strike();
    if (!g.finish()) return g.failure;
    return nonsense ? end_second(nonsense) : finish_second();
  }

  std::string finish_second() { return !second_ || second_->finish() ? "" : "the second: " + second_->failure; }
  std::string end_second(const answer_ptr<forward_reply>& nonsense) {
    swarm_.run_until([&] { return !nonsense->pending(); });
    second_.reset();
    return nonsense->failed_with(errc::not_finite) ? "" : "the second was answered " + nonsense->text();
  }

  std::string check_counters() {
    auto wrong = first_->check_counters();
    if (second_) wrong += second_->check_counters();
    return wrong;
  }

  seeded_random ids_;
  std::mt19937 random_;
  virtual_swarm swarm_;
  std::unique_ptr<generation> first_, second_;
  std::vector<size_t> stopped_;
};

/// From the environment, so that a failure can be replayed.
uint32_t number(const char* name, uint32_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<uint32_t>(std::stoul(text));
}

}  // namespace

BOOST_AUTO_TEST_CASE(random_schedules_of_faults_lose_no_token_and_leave_no_session) {
  const auto first = number("COROLLA_SEED", 1), count = number("COROLLA_SCHEDULES", 10'000);
  for (auto seed = first; seed < first + count; ++seed) {
    const auto failure = schedule{seed}.run();
    BOOST_TEST(failure.empty(), "COROLLA_SEED=" << seed << " COROLLA_SCHEDULES=1: " << failure);
  }
}

}  // namespace corolla::tests
