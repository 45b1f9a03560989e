// What the reference implementation computes over more tokens: tests/golden/make_long_reference.py.
#pragma once

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "golden.hpp"

namespace corolla::tests {

/// A step of a session of B sequences, and what the last position of each is then.
struct script_step {
  uint32_t position = 0;
  std::vector<uint32_t> hypo_ids;
  std::vector<token_ids> ids;  ///< [B][T]: appended at `position`
  token_ids best;              ///< [B]
  std::vector<double> logits, margins;

  uint32_t end() const { return position + static_cast<uint32_t>(ids.front().size()); }
};
/// The first step is the prompt.
using script = std::vector<script_step>;

/// A greedy continuation; `logits` and `margins` are those of its tokens.
struct long_text {
  token_ids prompt, greedy;
  std::vector<double> logits, margins;

  /// The same as steps, each of which appends the token that the one before chose.
  script as_script() const {
    script steps;
    for (size_t i = 0; i < greedy.size(); ++i) {
      const auto position = static_cast<uint32_t>(i == 0 ? 0 : prompt.size() + i - 1);
      const auto ids = i == 0 ? prompt : token_ids{greedy[i - 1]};
      steps.push_back({position, {}, {ids}, {greedy[i]}, {logits[i]}, {margins[i]}});
    }
    return steps;
  }
};

class long_golden {
 public:
  explicit long_golden(const std::string& name)
      : folder_{tiny_model(name)},
        facts_(nlohmann::json::parse(std::ifstream{folder_ / "long.json"})),
        f64_{std::max(facts_.at("f64").get<double>(), logits_f64(folder_))} {}

  const std::filesystem::path& folder() const { return folder_; }
  /// Of the text "prompted": [blocks, P, C].
  std::filesystem::path deep_prompts() const { return folder_ / "deep_prompts.safetensors"; }

  long_text text(const std::string& name) const {
    const auto& entry = facts_.at("continuations").at(name);
    return {entry.at("prompt"), entry.at("greedy"), entry.at("logits"), entry.at("margins")};
  }
  script steps(const std::string& name) const {
    script result;
    for (const auto& entry : facts_.at("scripts").at(name))
      result.push_back(
          {entry.at("position"), entry.at("hypo_ids"), entry.at("ids"), entry.at("best"), entry.at("logits"),
           entry.at("margins")});
    return result;
  }

  /// The least of all texts and scripts.  Above `tolerance` tokens are the reference's, however sums are ordered.
  double margin() const {
    auto least = std::numeric_limits<double>::infinity();
    auto look_at = [&](const nlohmann::json& margins) {
      for (const double margin : margins) least = std::min(least, margin);
    };
    for (const auto& entry : facts_.at("continuations")) look_at(entry.at("margins"));
    for (const auto& steps : facts_.at("scripts"))
      for (const auto& entry : steps) look_at(entry.at("margins"));
    return least;
  }
  /// How far a logit may be from the reference's: 20 times what float32 itself costs.
  double tolerance() const { return 20 * f64_; }

 private:
  static double logits_f64(const std::filesystem::path& folder) {
    return nlohmann::json::parse(std::ifstream{folder / "golden.json"}).at("f64").at("logits");
  }

  std::filesystem::path folder_;
  nlohmann::json facts_;
  double f64_;
};

}  // namespace corolla::tests
