#include "runtime/cross_entropy.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace corolla::runtime {

double text_score::perplexity() const {
  return std::exp(cross_entropy);
}

text_score score(const model::tensor& logits, const model::tensor& ids) {
  const auto S = logits.dim(1), V = logits.dim(2);
  const auto values = logits.as<float>();
  const auto tokens = ids.as<int64_t>();
  text_score result;
  double sum = 0;
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    if ((static_cast<int64_t>(i) + 1) % S == 0) continue;  // the next id begins another row
    const auto row = values.subspan(i * static_cast<size_t>(V), static_cast<size_t>(V));
    const double largest = *std::max_element(row.begin(), row.end());
    double normaliser = 0;
    for (const auto value : row) normaliser += std::exp(value - largest);
    sum += largest + std::log(normaliser) - row[static_cast<size_t>(tokens[i + 1])];
    ++result.tokens;
  }
  if (result.tokens > 0) result.cross_entropy = sum / static_cast<double>(result.tokens);
  return result;
}

}  // namespace corolla::runtime
