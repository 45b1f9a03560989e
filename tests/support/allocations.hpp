// What a test allocates: linking allocations.cpp replaces the global operator new.
#pragma once

#include <cstddef>

namespace corolla::tests {

/// Bytes of the largest allocation since the last `forget_allocations`, of any thread.
size_t largest_allocation();
void forget_allocations();

}  // namespace corolla::tests
