#include "actors/alarm.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/stateful_actor.hpp>

#include "../support/virtual_time.hpp"

namespace corolla::tests {

namespace {

using namespace std::chrono_literals;
using actors::alarm;
using actors::tick_atom;

/// Waits a minute for something that comes all the time, and has something small to do soon.
struct waiter_state {
  waiter_state() = default;
  waiter_state(const waiter_state&) = delete;
  waiter_state& operator=(const waiter_state&) = delete;
  ~waiter_state() = default;
  alarm timer;
  alarm::time_point overdue = alarm::never, soon = alarm::never;
  static constexpr const char* name = "waiter";
};

struct seen {
  int ticks = 0, done = 0;
  bool missed = false;
};

caf::behavior waiter(caf::stateful_actor<waiter_state>* self, std::shared_ptr<seen> log) {
  return {
      [self](caf::ok_atom) {
        auto& s = self->state;
        const auto now = self->clock().now();
        s.overdue = now + 60s;
        s.timer.set(self, s.overdue);
        if (s.soon == alarm::never) s.soon = now + 125ms;
        s.timer.set(self, s.soon);
      },
      [self, log](tick_atom) {
        auto& s = self->state;
        const auto now = self->clock().now();
        ++log->ticks;
        s.timer.rang();
        if (now >= s.overdue) {
          log->missed = true;
          s.overdue = alarm::never;
        }
        if (now >= s.soon) {
          ++log->done;
          s.soon = alarm::never;
        }
        s.timer.set(self, std::min(s.overdue, s.soon));
      }};
}

}  // namespace

BOOST_AUTO_TEST_CASE(two_kinds_of_times_need_two_ticks_however_often_they_are_moved) {
  virtual_time time;
  const auto log = std::make_shared<seen>();
  const auto actor = time.system().spawn(waiter, log);
  for (int i = 0; i < 6000; ++i) {
    caf::anon_send(actor, caf::ok_atom::value);
    time.settle();
    time.pass(50ms);
  }
  // Five minutes: every 150 ms one thing was done, and once a minute the time of the other was looked at.
  BOOST_TEST(log->done == 2000);
  BOOST_TEST(log->ticks <= 2000 + 6);
  BOOST_TEST(!log->missed);
  const auto before = log->ticks;
  time.pass(59s);
  BOOST_TEST(!log->missed);
  time.pass(1s);
  BOOST_TEST(log->missed);
  BOOST_TEST(log->ticks - before <= 3);
  time.pass(10min);
  BOOST_TEST(log->ticks - before <= 3);
  caf::anon_send_exit(actor, caf::exit_reason::kill);
}

}  // namespace corolla::tests
