// A swarm in which servers die, stop, leave, join and lose their network while clients generate.
#pragma once

#include <vector>

#include "runtime/benches.hpp"

namespace corolla::runtime {

/// `chaos`: eight clients generate through five servers for `settings.minutes`; every text is compared with what the
/// model's golden.json says, and at the end every server must have its whole cache to give.  Its margins must be wide
/// enough for equality (tests/golden/README.md).
std::vector<bench_row> bench_chaos(const bench_settings& settings);

}  // namespace corolla::runtime
