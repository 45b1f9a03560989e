// What `corolla inspect` tells of a model.
#pragma once

#include <nlohmann/json.hpp>

#include "model/checkpoint.hpp"

namespace corolla::runtime::commands {

/// Name, path, family, sizes, dtypes, digests, one entry for each block, tokenizer, config.
nlohmann::ordered_json summarise(const model::checkpoint& source, const model::model_digests& digests);

}  // namespace corolla::runtime::commands
