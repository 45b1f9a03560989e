// What a made model consists of: its config and the tensors that its family expects.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/tensor.hpp"

namespace corolla::model {

/// A tensor of normally distributed values.
struct planned_tensor {
  std::string name;  ///< as published models have it, prefix included
  shape dims;
  float mean = 0;
  float deviation = 0;
};

struct model_plan {
  nlohmann::ordered_json config;
  nlohmann::ordered_json generation_config;
  dtype type = dtype::float32;
  int64_t vocab_size = 0;
  std::vector<std::string> special_tokens;  ///< ids 0, 1, 2, ...
  std::vector<planned_tensor> tensors;      ///< sorted by name
};

/// Throws std::invalid_argument for an unknown shape.
model_plan plan_model(std::string_view shape_name, bool small);

}  // namespace corolla::model
