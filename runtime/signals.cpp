#include "runtime/signals.hpp"

#include <utility>

#include <pthread.h>
#include <unistd.h>

#include "runtime/errors.hpp"

namespace corolla::runtime {
namespace {

/// Wakes the watching thread when there is nothing more to watch for.
constexpr int wake_up = SIGUSR2;

}  // namespace

signal_watch::signal_watch(std::function<std::chrono::milliseconds(int)> on_first) : on_first_(std::move(on_first)) {
  sigemptyset(&signals_);
  for (auto signal : {SIGTERM, SIGINT, wake_up}) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  thread_ = std::thread{[this] { watch(); }};
}

signal_watch::~signal_watch() {
  pthread_kill(thread_.native_handle(), wake_up);
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void signal_watch::watch() {
  int signal = 0;
  if (sigwait(&signals_, &signal) != 0 || signal == wake_up) return;
  const auto patience = on_first_(signal);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(patience);
  const timespec left{seconds.count(), std::chrono::nanoseconds{patience - seconds}.count()};
  if (sigtimedwait(&signals_, nullptr, &left) == wake_up) return;
  // Asked twice, or the end takes too long: nothing here needs more order than the kernel makes.
  _exit(exit_failed);
}

}  // namespace corolla::runtime
