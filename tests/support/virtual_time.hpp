// Actors in virtual time: nothing runs by itself, the clock moves when it is told to, and a question that is not
// answered shows as such instead of blocking the test.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>

#include "actors/protocol.hpp"

namespace corolla::tests {

using task = std::function<void(caf::event_based_actor*)>;

}  // namespace corolla::tests

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(corolla::tests::task)

namespace corolla::tests {

/// What became of a request.
template <class T>
struct answer {
  std::optional<T> value;
  std::optional<caf::error> error;

  bool pending() const { return !value && !error; }
  bool failed_with(actors::errc code) const { return error && actors::code_of(*error) == code; }
  std::string text() const { return error ? actors::describe(*error) : value ? "a value" : "pending"; }
};
template <class T>
using answer_ptr = std::shared_ptr<answer<T>>;

class virtual_time {
 public:
  virtual_time() {
    // An hour on the clock, so that nothing is ever due at its epoch.
    clock().current_time += std::chrono::hours(1);
  }
  ~virtual_time() { settle(); }

  caf::actor_system& system() { return system_; }
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }
  caf::detail::test_actor_clock& clock() { return scheduler().clock(); }

  /// Lets every message that can be handled be handled; time stands still.
  void settle() {
    while (scheduler().try_run_once()) {
    }
  }
  /// Moves the clock, with all that falls due on the way.
  void pass(caf::timespan time) {
    scheduler().advance_time(time);
    settle();
  }

 private:
  struct config : caf::actor_system_config {
    config() {
      set("scheduler.policy", caf::atom("testing"));
      set("logger.verbosity", caf::atom("quiet"));
    }
  };

  config config_;
  caf::actor_system system_{config_};
};

/// An actor that asks and tells on the test's behalf.
class user {
 public:
  explicit user(virtual_time& time) : time_(time), actor_(time.system().spawn(behavior)) {}
  ~user() { kill(); }
  user(const user&) = delete;

  /// Sends a request and lets everything settle.
  template <class T, class Actor, class... Args>
  answer_ptr<T> ask(const Actor& to, Args... args) {
    auto result = start<T>(to, std::move(args)...);
    time_.settle();
    return result;
  }
  /// Only sends it.
  template <class T, class Actor, class... Args>
  answer_ptr<T> start(const Actor& to, Args... args) {
    auto result = std::make_shared<answer<T>>();
    perform([=](caf::event_based_actor* self) {
      self->request(to, std::chrono::minutes(24 * 60), args...)
          .then([result](const T& value) { result->value = value; }, [result](caf::error& e) { result->error = e; });
    });
    return result;
  }
  template <class Actor, class... Args>
  void tell(const Actor& to, Args... args) {
    perform([=](caf::event_based_actor* self) { self->send(to, args...); });
    time_.settle();
  }
  void kill() {
    caf::anon_send_exit(actor_, caf::exit_reason::kill);
    time_.settle();
  }

 private:
  static caf::behavior behavior(caf::event_based_actor* self) {
    return {[self](task& t) { t(self); }};
  }
  void perform(task t) {
    caf::anon_send(actor_, std::move(t));
    // The user's own turn, so that what it sent is under way when this returns.
    time_.scheduler().prioritize(actor_);
    time_.scheduler().run_once();
  }

  virtual_time& time_;
  caf::actor actor_;
};

}  // namespace corolla::tests
