// What a link costs: round trips and bulk between two processes over loopback, TLS on, against plain blocking OpenSSL
// in the same run.
#pragma once

#include <vector>

#include "runtime/benches.hpp"

namespace corolla::runtime {

std::vector<bench_row> bench_link(const bench_settings& settings);

}  // namespace corolla::runtime
