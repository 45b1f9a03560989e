// Loaded before a program, puts its wall clock SHIFTED_CLOCK_SECONDS off: two processes that do not agree on the time.
#include <cstdlib>

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const auto status = static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
  if (const auto* seconds = std::getenv("SHIFTED_CLOCK_SECONDS"); seconds != nullptr && clock == CLOCK_REALTIME)
    now->tv_sec += std::atol(seconds);
  return status;
}
