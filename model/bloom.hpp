// BLOOM: ALiBi in place of positions, fused queries, keys and values, layer norms, tanh gelu.
#pragma once

#include <memory>

#include "model/family.hpp"

namespace corolla::model {

std::unique_ptr<family> read_bloom(const checkpoint& source);

}  // namespace corolla::model
