// Text to ids and back: byte-level BPE from a tokenizer.json (GPT-2, Llama 3, SmolLM2, BLOOM) or from a GGUF
// vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace corolla::model {

/// A tokenizer file that is broken, or needs something that is not supported.  what(): one sentence naming the field.
struct tokenizer_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Immutable after construction; safe to use from any thread.
class tokenizer {
 public:
  /// From tokenizer.json's object; `config` is tokenizer_config.json's, or null.  Throws tokenizer_error.
  static std::shared_ptr<const tokenizer> from_json(const nlohmann::json& tokenizer_json, const nlohmann::json& config);
  /// From GGUF metadata: an object with the keys `tokenizer.ggml.*` (model "gpt2"; `pre` names the split pattern).
  static std::shared_ptr<const tokenizer> from_gguf(const nlohmann::json& metadata);

  virtual ~tokenizer() = default;

  /// `text` is UTF-8; bytes that are not valid UTF-8 are replaced by U+FFFD.  `add_special` runs the post-processor (a
  /// bos token, say).
  virtual std::vector<int64_t> encode(std::string_view text, bool add_special) const = 0;
  /// Ids that are unknown are skipped.  Bytes that form no character become U+FFFD.
  virtual std::string decode(std::span<const int64_t> ids, bool skip_special) const = 0;

  /// Ids in [0, size()); some may be unused.
  virtual int64_t size() const = 0;
  virtual bool is_special(int64_t id) const = 0;
  /// The id of a token as it is written in the vocabulary or among the added tokens; -1 if there is none.
  virtual int64_t id_of(std::string_view token) const = 0;

  /// Decodes token by token.  `push` returns the text that is certain: concatenated, the pieces and `finish` are
  /// decode(all ids), and no piece ends inside a character.
  class stream {
   public:
    virtual ~stream() = default;
    virtual std::string push(int64_t id) = 0;
    virtual std::string finish() = 0;
  };
  virtual std::unique_ptr<stream> stream_decoder(bool skip_special) const = 0;
};

}  // namespace corolla::model
