// How many threads compute, unless told otherwise.
#pragma once

#include <cstdint>

namespace corolla::runtime {

/// Processors that this process may run on, at least 1.
uint32_t available_processors();

}  // namespace corolla::runtime
