// How well a model foretells a text.
#pragma once

#include <cstdint>

#include "model/tensor.hpp"

namespace corolla::runtime {

struct text_score {
  /// Mean of -log p(next token), in nats; 0 where no token has one before it.
  double cross_entropy = 0;
  int64_t tokens = 0;  ///< that were foretold

  double perplexity() const;
};

/// `logits`: float32 [B, S, V]; `ids`: int64 [B, S], each in [0, V).  Every token but a row's first counts.
text_score score(const model::tensor& logits, const model::tensor& ids);

}  // namespace corolla::runtime
