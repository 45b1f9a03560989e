// How a fuzz target says that something must hold, in every build type.
#pragma once

#include <cstdio>

/// Ends the run with the broken expectation, which the fuzzer takes for a crash.
#define REQUIRE(what)                                                                \
  do {                                                                               \
    if (!(what)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what); \
      __builtin_trap();                                                              \
    }                                                                                \
  } while (false)
