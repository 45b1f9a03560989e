// How long a test waits for what must come: only a test that fails takes so long.
#pragma once

#include <chrono>

namespace corolla::tests {

/// On a machine that does much else.
inline constexpr std::chrono::seconds patience{60};

}  // namespace corolla::tests
