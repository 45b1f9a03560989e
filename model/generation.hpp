// One text being generated, as a state machine: who runs the blocks (a span in this process, or a route through a
// swarm) asks it what to run next and tells it what came out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/ends.hpp"
#include "model/sampler.hpp"
#include "model/tensor.hpp"
#include "model/tokenizer.hpp"

namespace corolla::model {

struct generation_request {
  /// One sequence; at least one id.
  std::vector<int64_t> prompt;
  uint32_t max_new_tokens = 0;
  sampling_params sampling;
  /// Text that ends the generation; never part of the answer.  Needs a tokenizer.
  std::vector<std::string> stop;
  /// Ids that end it, besides the model's own end-of-text ids.
  std::vector<int64_t> stop_ids;
  bool ignore_eos = false;
};

/// What the blocks are to run: T tokens appended at `position`.
struct generation_input {
  uint32_t position = 0;
  tensor hidden;  ///< [1, T, C]
};

struct generated_token {
  int64_t id = 0;
  float margin = 0;  ///< best less second-best logit
  /// What became certain with it, and with the last one all that was held back: together they are the whole text.
  std::string text;
};

/// Not thread-safe.  `ends` must outlive it.
class generation {
 public:
  /// `text` may be null: then there is no text and no stop string.  Throws std::invalid_argument with a sentence: an
  /// empty prompt, an id outside the vocabulary, prompt + max_new_tokens beyond max_positions (both numbers are named),
  /// bad sampling parameters.
  generation(const ends& model_ends, std::shared_ptr<const tokenizer> text, generation_request request);

  /// Positions that a session for it needs: prompt + max_new_tokens - 1 (the last token is never run), at least the
  /// prompt.
  uint32_t max_length() const;
  /// The embedded prompt.
  generation_input first() const;
  /// Takes the last block's output of the last position, [1, 1, C]; gives the token chosen.  Call until `finished`.
  generated_token take(const tensor& hidden);
  /// What to run for the token taken last.  Not after `finished`.
  generation_input next() const;
  bool finished() const { return finished_; }

  /// New ids so far, without the prompt; an end-of-text or stop id that ended it is the last one.
  const std::vector<int64_t>& ids() const { return ids_; }

 private:
  /// Text that was held back: half a character, or the beginning of a stop string.
  std::string rest();

  const ends& ends_;
  generation_request request_;
  sampler sampler_;
  std::unique_ptr<tokenizer::stream> stream_;
  stop_matcher stops_;
  std::vector<int64_t> history_;  // prompt and new ids
  std::vector<int64_t> ids_;
  bool finished_ = false;
};

}  // namespace corolla::model
