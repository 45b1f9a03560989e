// A tiny model's golden files: what the reference implementation computes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/safetensors.hpp"
#include "tests/support/swarm.hpp"

namespace corolla::tests {

using token_ids = std::vector<int64_t>;

class golden {
 public:
  explicit golden(const std::string& name)
      : folder_{tiny_model(name)},
        tensors_{folder_ / "golden.safetensors"},
        facts_(nlohmann::json::parse(std::ifstream{folder_ / "golden.json"})) {}

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path file() const { return folder_ / "golden.safetensors"; }
  std::vector<token_ids> prompts() const { return facts_.at("input_ids"); }
  std::vector<token_ids> greedy() const { return facts_.at("greedy"); }
  model::tensor load(const std::string& name) const { return tensors_.load(name); }

  /// What float32 itself costs in the group of tensors that `name` belongs to, with room for another order of sums.
  double tolerance(const std::string& name) const {
    const auto expected = load(name);
    double largest = 0;
    for (const auto x : expected.as<float>()) largest = std::max(largest, std::abs(double{x}));
    return 20 * facts_.at("f64").at(name.substr(0, name.find('.'))).get<double>() + 1e-6 + 2e-6 * largest;
  }

 private:
  std::filesystem::path folder_;
  model::safetensors_file tensors_;
  nlohmann::json facts_;
};

/// "1,2,3"
inline std::string to_list(const token_ids& ids) {
  std::string text;
  for (const auto id : ids) text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

/// The words that ask for the greedy continuation of a prompt.
inline std::vector<std::string> continuation(const token_ids& prompt, size_t count) {
  return {"--ids", to_list(prompt), "--max-new-tokens", std::to_string(count), "--ignore-eos"};
}

}  // namespace corolla::tests
