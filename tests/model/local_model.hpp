// Runs a whole model in the test's process: ends, and spans one behind the other.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "model/ends.hpp"
#include "model/span.hpp"

namespace corolla::tests {

/// ids [B, T]
inline model::tensor ids_of(const std::vector<std::vector<int64_t>>& rows) {
  std::vector<int64_t> flat;
  for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return model::tensor::of<int64_t>({static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows.at(0).size())}, flat);
}

/// A step that is expected to be done.
inline model::tensor run_one(model::span& blocks, const model::span_step& step) {
  const std::atomic<bool> stop{false};
  auto results = blocks.run(std::vector{step}, stop);
  if (!results.at(0).ok()) throw std::runtime_error(results[0].error);
  return results[0].hidden;
}

inline model::span_step step_of(
    model::cache_id cache, uint32_t position, model::tensor hidden, std::vector<uint32_t> hypo_ids = {}) {
  model::span_step step;
  step.cache = cache;
  step.position = position;
  step.hidden = std::move(hidden);
  step.hypo_ids = std::move(hypo_ids);
  return step;
}

/// Where models are loaded: COROLLA_TEST_DEVICE, or the processor.
inline model::span_options test_options(model::dtype compute = model::dtype::float32) {
  model::span_options options;
  options.compute = compute;
  if (const auto* device = std::getenv("COROLLA_TEST_DEVICE")) options.device = device;
  return options;
}

struct local_model {
  std::unique_ptr<model::ends> ends;
  std::vector<std::unique_ptr<model::span>> spans;

  /// Spans [0, cuts[0]), [cuts[0], cuts[1]) …
  static local_model load(
      const model::checkpoint& source, std::vector<uint32_t> cuts = {},
      const model::span_options& options = test_options()) {
    local_model result;
    result.ends = model::ends::load(source, {options.compute, options.device});
    cuts.push_back(result.ends->num_blocks());
    uint32_t begin = 0;
    for (const auto end : cuts) {
      result.spans.push_back(model::span::load(source, {begin, end}, options));
      begin = end;
    }
    return result;
  }
};

/// One session on every span of a model.
class local_session {
 public:
  local_session(local_model& m, uint32_t batch, uint32_t max_length) : model_(m) {
    for (auto& s : m.spans) caches_.push_back(s->reserve(s->blocks(), batch, max_length).value());
  }

  /// Appends the hidden rows of T tokens; gives the last block's output.
  model::tensor run(model::tensor hidden) {
    const auto T = static_cast<uint32_t>(hidden.dim(1));
    for (size_t i = 0; i < caches_.size(); ++i)
      hidden = run_one(*model_.spans[i], step_of(caches_[i], position_, hidden));
    position_ += T;
    return hidden;
  }

  /// In pieces of `chunk` tokens.
  model::tensor run_in_chunks(const model::tensor& hidden, int64_t chunk) {
    std::vector<model::tensor> outputs;
    for (int64_t t = 0; t < hidden.dim(1); t += chunk)
      outputs.push_back(run(hidden.slice(1, t, std::min(t + chunk, hidden.dim(1)))));
    return model::concat(outputs, 1);
  }

 private:
  local_model& model_;
  std::vector<model::cache_id> caches_;
  uint32_t position_ = 0;
};

/// The largest |a - b|; a NaN counts as infinite.
template <class Rows>
double largest_difference(const model::tensor& a, const Rows& b) {
  const auto values = a.as<float>();
  double largest = 0;
  size_t i = 0;
  for (const auto& expected : b) {
    const auto difference = std::abs(double(values[i++]) - double(expected));
    if (!(difference <= largest)) largest = std::isnan(difference) ? INFINITY : difference;
  }
  if (i != values.size()) throw std::logic_error("compared tensors of different sizes");
  return largest;
}

inline double largest(const model::tensor& a) {
  double result = 0;
  for (const auto x : a.as<float>()) result = std::max(result, std::abs(double(x)));
  return result;
}

/// The arg max of each of the last positions, [B].
inline std::vector<int64_t> best_ids(const model::tensor& logits) {
  const auto B = logits.dim(0), T = logits.dim(1), V = logits.dim(2);
  const auto values = logits.as<float>();
  std::vector<int64_t> ids;
  for (int64_t b = 0; b < B; ++b) {
    const auto row = values.subspan(static_cast<size_t>(((b + 1) * T - 1) * V), static_cast<size_t>(V));
    ids.push_back(std::max_element(row.begin(), row.end()) - row.begin());
  }
  return ids;
}

}  // namespace corolla::tests
