// The door from actors to what a client holds: embeddings, final norm and head.  No ATen here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/checkpoint.hpp"
#include "model/tensor.hpp"
#include "model/tokenizer.hpp"

namespace corolla::model {

struct ends_options {
  dtype compute = dtype::float32;
  std::string device = "cpu";
};

/// Thread-compatible: const calls may not overlap (they share libtorch's thread pool and scratch memory).
class ends {
 public:
  virtual ~ends() = default;
  /// Throws as span::load does.
  static std::unique_ptr<ends> load(const checkpoint& source, const ends_options& options);

  virtual int64_t hidden_size() const = 0;
  virtual int64_t vocab_size() const = 0;
  virtual uint32_t num_blocks() const = 0;
  virtual uint32_t max_positions() const = 0;
  /// Ids that end a text: generation_config's eos_token_id, else config's; may be empty.
  virtual const std::vector<int64_t>& eos_ids() const = 0;

  /// ids [B, T] (each in [0, vocab_size), else std::invalid_argument) -> [B, T, C]: what the first block receives.
  virtual tensor embed(const tensor& ids) const = 0;
  /// [B, T, C] -> [B, T, C]: what the head receives.
  virtual tensor final_norm(const tensor& hidden) const = 0;
  /// [B, T, C], a block's output -> float32 [B, T, V].
  virtual tensor logits(const tensor& hidden) const = 0;
};

/// The checkpoint's tokenizer, or null where it has none.  Throws tokenizer_error.
std::shared_ptr<const tokenizer> load_tokenizer(const checkpoint& source);

}  // namespace corolla::model
