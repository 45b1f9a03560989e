// What a tokenizer is made of, however its file says so.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/bpe.hpp"
#include "model/pretokenizer.hpp"
#include "model/tokenizer.hpp"
#include "model/tokenizer_added.hpp"
#include "model/tokenizer_normalizer.hpp"

namespace corolla::model {

/// How tokens become text.
enum class token_decoder {
  byte_level,    ///< read in GPT-2's alphabet
  joined,        ///< as they are written
  space_joined,  ///< as they are written, with a space between them
};

struct tokenizer_parts {
  bpe_tables tables;
  std::vector<added_token> added;  ///< an id of -1: the vocabulary's, or the next free one
  std::vector<normalizer_step> normalizer;
  std::vector<pretokenizer_step> pretokenizer;
  std::vector<int64_t> prefix, suffix;  ///< what encode puts around a text with add_special
  token_decoder decoder = token_decoder::byte_level;
};

/// `source` names the vocabulary in errors.
std::shared_ptr<const tokenizer> make_tokenizer(tokenizer_parts parts, std::string_view source);

}  // namespace corolla::model
