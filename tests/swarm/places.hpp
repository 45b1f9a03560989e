// One command in both places where a model can run: this process, and a swarm.
#pragma once

#include <filesystem>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "golden.hpp"
#include "tests/support/temp_dir.hpp"

namespace corolla::tests {

enum class place { here, in_a_swarm };

inline const std::vector<place> both_places{place::here, place::in_a_swarm};

inline std::ostream& operator<<(std::ostream& out, place where) {
  return out << (where == place::here ? "here" : "in a swarm");
}

/// A model with its servers, which are started when they are first needed.
class placed_model {
 public:
  placed_model(std::filesystem::path model, std::vector<std::string> spans)
      : model_{std::move(model)}, spans_{std::move(spans)} {}

  const std::filesystem::path& model() const { return model_; }

  /// `corolla COMMAND WORDS…` with the model, or with `other` that holds the same weights.
  run_result run(
      place where, const std::string& command, const std::vector<std::string>& words,
      const std::filesystem::path& other = {}) {
    std::vector<std::string> all{command, "--model", other.empty() ? model_ : other, "--threads", "1"};
    if (where == place::here)
      all.push_back("--local");
    else
      all.insert(all.end(), {"--peers", servers().address()});
    all.insert(all.end(), words.begin(), words.end());
    return run_corolla(all);
  }

  /// The object of `generate --json`.
  nlohmann::json generate(place where, std::vector<std::string> words, const std::filesystem::path& other = {}) {
    words.push_back("--json");
    return nlohmann::json::parse(done(run(where, "generate", words, other)));
  }
  /// The objects of `generate --json-stream`.
  std::vector<nlohmann::json> stream(place where, std::vector<std::string> words) {
    words.push_back("--json-stream");
    std::istringstream lines{done(run(where, "generate", words))};
    std::vector<nlohmann::json> objects;
    for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
    if (objects.empty()) throw std::runtime_error("generate --json-stream said nothing");
    return objects;
  }
  /// The logits [S, V] of one text, computed here.
  model::tensor logits(const token_ids& text) {
    const temp_dir folder;
    const auto in = folder / "in.safetensors", out = folder / "out.safetensors";
    const model::shape dims{1, static_cast<int64_t>(text.size())};
    model::write_safetensors(in, {{"input_ids", model::tensor::of<int64_t>(dims, text)}});
    done(run(place::here, "eval", {"--inputs", in, "--out", out}));
    const auto all = model::safetensors_file{out}.load("logits");
    return all.reshaped({all.dim(1), all.dim(2)});
  }

 private:
  static std::string done(const run_result& result) {
    if (!result.end.is(0)) throw std::runtime_error(result.err);
    return result.out;
  }
  const swarm& servers() {
    if (servers_.empty()) servers_.emplace_back(model_, spans_);
    return servers_.front();
  }

  std::filesystem::path model_;
  std::vector<std::string> spans_;
  std::vector<swarm> servers_;
};

/// The tiny llama, started once for all cases.
inline placed_model& tiny_llama() {
  static placed_model model{tiny_model("llama"), {"0:1", "1:4"}};
  return model;
}

inline token_ids ids_of(const nlohmann::json& answer) {
  return answer.at("ids").get<token_ids>();
}

inline std::vector<std::string> with(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace corolla::tests
