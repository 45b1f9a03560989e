// GGUF's architecture "llama" in Hugging Face's words.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/gguf.hpp"
#include "model/stored_tensor.hpp"

namespace corolla::model {

/// The config.json that the metadata amounts to.  Throws checkpoint_error for another architecture, for a field that is
/// missing or impossible, and for what Hugging Face's llama does not have.
nlohmann::json llama_config(const gguf_contents& contents, const std::string& label);

/// The tensors under Hugging Face's names, not yet tied to a file.  Throws checkpoint_error for one that llama has not.
std::vector<stored_tensor> llama_tensors(
    const gguf_contents& contents, const nlohmann::json& config, const std::string& label);

}  // namespace corolla::model
