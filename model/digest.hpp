// What makes two models the same, as SHA-256 digests.
//
// Every value is written with its length, so that no two lists of values give the same bytes.  "u64" is eight bytes,
// little-endian; "text" is u64 length and the bytes.
//   tensor  = text name, text type as the file spells it, u64 rank, u64 for each dimension, u64 length, the stored
//   bytes block i = SHA-256(text "corolla block 1", the tensors named "h.i." or "layers.i." in the order of their
//   names) ends    = SHA-256(text "corolla ends 1", text config, all other tensors in the order of their names) model
//   = SHA-256(text "corolla model 1", ends, u64 number of blocks, each block's digest) span    = SHA-256(text "corolla
//   blocks 1", u64 begin, u64 end, each block's digest)
// `config` is config.json's object without the keys that do not change what the model computes (digest.cpp lists them),
// keys sorted, no white space.  Names are those of checkpoint::tensor_names(): shards, prefixes and the order of
// tensors in a file do not count.  A GGUF file's tensors are hashed as they are stored: it is another model than the
// Hugging Face folder it was made from.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "model/checkpoint.hpp"
#include "model/stored_tensor.hpp"

namespace corolla::model {

/// What is digested.  The references outlive the calls below.
struct digest_input {
  const nlohmann::json& config;
  uint32_t num_blocks = 0;
  std::span<const stored_tensor> tensors;  ///< sorted by name
};

using digest_progress = std::function<void(uint64_t done_bytes, uint64_t all_bytes)>;

/// Block number of "h.3.ln_1.weight" or "layers.3.mlp.up_proj.weight"; nullopt for what is in no block.
std::optional<uint32_t> block_of(std::string_view tensor_name);

/// Reads every byte, in order and on two threads, and gives the pages back.  `progress` may be empty; it is called from
/// the caller's thread.  Throws checkpoint_error if a file was changed since it was opened.
model_digests compute_digests(const digest_input& input, const digest_progress& progress);

/// What `digests.model` is, from its ends and blocks.
digest model_digest(const model_digests& digests);

/// compute_digests' result from the user's cache folder where it is there (digest_cache.cpp), else computed and kept
/// there.
model_digests cached_digests(const digest_input& input, const digest_progress& progress);

/// The config's text that is digested.
std::string canonical_config(const nlohmann::json& config);

}  // namespace corolla::model
