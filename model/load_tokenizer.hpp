// A tokenizer as its files describe it.
#pragma once

#include <filesystem>
#include <memory>

#include "model/checkpoint.hpp"
#include "model/tokenizer.hpp"

namespace corolla::model {

/// `path`: the folder or the GGUF file that `described` was read from.  Null where none is described.  Throws
/// tokenizer_error: "FILE: FIELD: what is wrong".
std::shared_ptr<const tokenizer> load_tokenizer(const tokenizer_source& described, const std::filesystem::path& path);

}  // namespace corolla::model
