// SIGTERM and SIGINT for a process that has things to put in order: taken by a thread of their own.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include <csignal>

namespace corolla::runtime {

/// Make it before any other thread: it blocks the signals for all of them.  The first signal calls `on_first` (in the
/// watching thread), the second ends the process, and so does `patience` after the first.
class signal_watch {
 public:
  signal_watch(std::function<void()> on_first, std::chrono::milliseconds patience);
  ~signal_watch();
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;

 private:
  void watch();

  std::function<void()> on_first_;
  std::chrono::milliseconds patience_;
  sigset_t signals_;
  sigset_t before_;
  std::thread thread_;
};

}  // namespace corolla::runtime
