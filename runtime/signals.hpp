// SIGTERM and SIGINT for a process that has things to put in order: taken by a thread of their own.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include <csignal>

namespace corolla::runtime {

/// Make it before any other thread: it blocks the signals for all of them.  The first one calls `on_first` with its
/// number (in the watching thread), which says how long the process may take to end.  It ends after that, or with the
/// second signal, whatever it is doing.
class signal_watch {
 public:
  explicit signal_watch(std::function<std::chrono::milliseconds(int)> on_first);
  ~signal_watch();
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;

 private:
  void watch();

  std::function<std::chrono::milliseconds(int)> on_first_;
  sigset_t signals_;
  sigset_t before_;
  std::thread thread_;
};

}  // namespace corolla::runtime
