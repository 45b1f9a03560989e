// The choice of the next token, with Hugging Face's semantics and order: repetition penalty, temperature, top-k, top-p.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace corolla::model {

struct sampling_params {
  /// 0: greedy (the arg max after the repetition penalty; ties go to the lower id).
  float temperature = 0;
  int32_t top_k = 0;             ///< 0: off
  float top_p = 1;               ///< 1: off
  float repetition_penalty = 1;  ///< over prompt and generated tokens, as Hugging Face does
  uint64_t seed = 0;
};

/// Throws std::invalid_argument with a sentence that names the parameter and its range.
void check(const sampling_params& p);

struct choice {
  int64_t id = 0;
  /// Best less second-best logit, before any processor; the greatest float where there is only one.
  float margin = 0;
};

struct weighted_token {
  int64_t id = 0;
  double weight = 0;  ///< in (0, 1]; the best has 1, and a token is drawn in proportion to its weight
};

/// What is left to draw from at a temperature above 0: the tokens that top-k and top-p keep, in an order that depends
/// on the arguments alone.  `scores`: [V], the logits after the repetition penalty, all finite.
std::vector<weighted_token> distribution(std::span<const float> scores, const sampling_params& p);

/// One sequence's sampler: the same seed, logits and history give the same ids on every machine.  Not thread-safe.
class sampler {
 public:
  explicit sampler(const sampling_params& params);
  /// `logits`: [V]; throws std::invalid_argument where there are none, or one is not finite.  `history`: prompt and
  /// generated ids so far; an id that is none of the V (a virtual token of a soft prompt, say) has no penalty.
  choice next(std::span<const float> logits, std::span<const int64_t> history);

 private:
  std::span<const float> penalised(std::span<const float> logits, std::span<const int64_t> history);
  int64_t draw(std::span<const float> scores);

  sampling_params params_;
  std::mt19937_64 random_;
  std::vector<float> scores_;  // the penalised logits of the step, where there is a penalty
};

/// Finds stop strings in text that arrives piece by piece.  `push` returns what may be shown: text that could still be
/// the beginning of a stop string is held back; a stop string itself and all behind it is never shown.  Of several stop
/// strings the one that is complete first counts, and of those the longest: how the text is cut into pieces does not
/// matter.  Empty stop strings are ignored.
class stop_matcher {
 public:
  explicit stop_matcher(std::vector<std::string> stops);
  std::string push(std::string_view piece);
  /// What was held back, when the stream ends without a stop.
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace corolla::model
