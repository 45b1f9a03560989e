// Llama and what is built like it: RMS norms, rotary positions, shared key/value heads, gated MLP.
#pragma once

#include <memory>

#include "model/family.hpp"

namespace corolla::model {

/// Llama 1 to 3, TinyLlama, SmolLM2.
std::unique_ptr<family> read_llama(const checkpoint& source);
/// Mistral: the same layers.  Its sliding window is not computed; sequences longer than the window are refused.
std::unique_ptr<family> read_mistral(const checkpoint& source);

}  // namespace corolla::model
