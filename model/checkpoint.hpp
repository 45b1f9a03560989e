// A model on disk, whatever its container: Hugging Face folder or GGUF file, seen in Hugging Face's words.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/block_range.hpp"
#include "model/tensor.hpp"

namespace corolla::model {

/// A file that is truncated, lies or is not what it should be.  what(): one sentence that names file and field.
struct checkpoint_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// SHA-256.
using digest = std::array<uint8_t, 32>;
/// The first `chars` hexadecimal digits (64: all).
std::string to_hex(const digest& d, size_t chars = 64);

/// What makes two models the same: family, config and, for each tensor, name, dtype, shape and data.
/// `model` = SHA-256 over config, ends and blocks; a server's span is `of_blocks(digests, range)`.
struct model_digests {
  digest model{};
  digest ends{};               ///< config, embeddings, norms and head: every tensor that is in no block
  std::vector<digest> blocks;  ///< one for each block
};
/// SHA-256 over the digests of `blocks`: what a server announces for its span.  Throws std::out_of_range.
digest of_blocks(const model_digests& digests, block_range blocks);

/// Where a tokenizer is described.
struct tokenizer_source {
  enum class kind { none, tokenizer_json, gguf } what = kind::none;
  /// tokenizer_json: the file's text.  gguf: the metadata keys `tokenizer.ggml.*` as one JSON object with those keys.
  nlohmann::json content;
  /// tokenizer_config.json beside it, or null; for GGUF {"chat_template": ...} or null.
  nlohmann::json config;
};

/// Read-only and thread-safe after `open`.
class checkpoint {
 public:
  virtual ~checkpoint() = default;

  /// Opens a Hugging Face folder (config.json with model.safetensors, or shards with model.safetensors.index.json) or a
  /// GGUF file (v2, v3; a folder that holds exactly one .gguf also does).  Headers are read and checked here, data is
  /// not. Throws checkpoint_error.
  static std::shared_ptr<const checkpoint> open(const std::filesystem::path& path);

  /// Folder or file name without extension: "SmolLM2-135M-Instruct.Q4_1" -> the same; for people, never compared.
  virtual const std::string& name() const = 0;
  virtual const std::filesystem::path& path() const = 0;
  /// config.json's object; for GGUF the same object made from the metadata (model_type "llama", hidden_size,
  /// rope_theta, ...), with bos_token_id and eos_token_id where known.
  virtual const nlohmann::json& config() const = 0;
  /// generation_config.json's object, or null.
  virtual const nlohmann::json& generation_config() const = 0;
  virtual tokenizer_source tokenizer() const = 0;

  /// All tensors in Hugging Face's names, without a leading "transformer." or "model." ("h.0.ln_1.weight",
  /// "layers.0.self_attn.q_proj.weight", "embed_tokens.weight", "lm_head.weight"), sorted.
  virtual const std::vector<std::string>& tensor_names() const = 0;
  virtual bool has(std::string_view name) const = 0;
  /// Throws checkpoint_error for an unknown name.
  virtual const shape& dims(std::string_view name) const = 0;
  /// The type in the file; for GGUF's quantised types float32.
  virtual dtype type(std::string_view name) const = 0;
  /// The tensor in memory, dequantised and converted to `as`; llama's q and k come back unpermuted from GGUF.
  /// Pages of the file that were touched are given back, so that resident memory is what the caller keeps.
  /// Throws checkpoint_error.
  virtual tensor load(std::string_view name, dtype as) const = 0;

  /// Digests of the whole model.  The first call reads every byte; the result is kept in the user's cache folder
  /// ($XDG_CACHE_HOME/corolla, else ~/.cache/corolla) by path, size and modification time of every file; a cache that
  /// cannot be written or read costs time only.  `progress(done_bytes, all_bytes)` may be empty.
  virtual model_digests digests(const std::function<void(uint64_t, uint64_t)>& progress = {}) const = 0;
};

/// Number of blocks: `num_hidden_layers` or `n_layer`.  Throws checkpoint_error naming file and field.
uint32_t num_blocks(const checkpoint& c);

}  // namespace corolla::model
