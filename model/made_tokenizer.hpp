// A tokenizer for a made model: byte-level BPE with a vocabulary of any size.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace corolla::model {

/// The text of a tokenizer.json with exactly `size` tokens: `special_tokens` (ids from 0), 256 bytes, and merges of
/// frequent letters.  Any text can be encoded, and decodes to itself.  Throws std::invalid_argument if `size` has no
/// room for special tokens and bytes.
std::string make_tokenizer(int64_t size, std::span<const std::string> special_tokens);

}  // namespace corolla::model
