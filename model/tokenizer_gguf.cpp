// Reads the parts of a tokenizer from the metadata of a GGUF file.
#include <algorithm>

#include "model/tokenizer_field.hpp"
#include "model/tokenizer_parts.hpp"

namespace corolla::model {

namespace {

// The patterns that GGUF files have by name; what these are is a convention of llama.cpp.
constexpr std::string_view single_digit = R"(\p{N})";
constexpr std::string_view llama3_pattern = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
                                            R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view qwen2_pattern = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
                                           R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view bloom_pattern = R"( ?[^(\s|.,!?…。，、।۔،)]+)";

struct convention {
  std::vector<std::string_view> names;
  std::vector<std::string_view> patterns;  ///< applied in turn
  bool ignore_merges = false;
  bool add_begin = false;  ///< where the file does not say
};

const std::vector<convention>& conventions() {
  static const std::vector<convention> all = {
      {{"default"}, {R"([\p{P}\$\+<=>\^~\|]+)", gpt2_pattern, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
      {{"gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais"}, {gpt2_pattern}},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"}, {single_digit, gpt2_pattern}},
      {{"llama-bpe", "llama3", "llama-v3"}, {llama3_pattern}, /*ignore_merges=*/true, /*add_begin=*/true},
      {{"qwen2", "deepseek-r1-qwen", "stablelm2"}, {qwen2_pattern}},
      {{"bloom", "gpt3-finnish", "poro-chat"}, {bloom_pattern}},
      {{"falcon"}, {R"([\p{P}\$\+<=>\^~\|`]+)", gpt2_pattern, "[0-9][0-9][0-9]"}},
  };
  return all;
}

const convention& find_convention(const json_field& pre) {
  const std::string name = pre.is_null() ? "default" : pre.text();
  for (const auto& c : conventions())
    if (std::find(c.names.begin(), c.names.end(), name) != c.names.end()) return c;
  pre.fail("the split pattern \"" + name + "\" is not known");
}

// Token types of the file format.
constexpr int64_t type_unknown = 2;
constexpr int64_t type_control = 3;
constexpr int64_t type_user_defined = 4;

void read_tokens(const json_field& file, tokenizer_parts& parts) {
  const auto tokens = file["tokenizer.ggml.tokens"], types = file["tokenizer.ggml.token_type"];
  if (!tokens.value().is_array()) tokens.fail("a list is needed");
  const auto& list = tokens.value();
  if (list.size() > static_cast<size_t>(bpe_tables::max_vocabulary)) tokens.fail("it is too large");
  if (!types.is_null() && (!types.value().is_array() || types.value().size() != list.size()))
    types.fail("a list with a type for each token is needed");
  parts.tables.vocabulary.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    const auto id = static_cast<int64_t>(i);
    const auto& text = json_field(list[i], tokens.path()).text();
    parts.tables.vocabulary.emplace_back(text, id);
    const auto type = types.is_null() ? 1 : json_field(types.value()[i], types.path()).number();
    if (type == type_unknown || type == type_control || type == type_user_defined) {
      added_token added;
      added.content = text;
      added.id = id;
      added.special = type != type_user_defined;
      parts.added.push_back(std::move(added));
    }
  }
}

void read_merges(const json_field& merges, bpe_tables& tables) {
  if (!merges.value().is_array()) merges.fail("a list is needed");
  if (merges.value().size() > bpe_tables::max_merges) merges.fail("it is too large");
  tables.merges.reserve(merges.value().size());
  for (const auto& item : merges.value()) {
    const auto& both = json_field(item, merges.path()).text();
    const auto space = both.find(' ', 1);  // a token may not be empty, so the first is not the space
    if (space == std::string::npos) merges.fail("two tokens with a space between them are needed");
    tables.merges.emplace_back(both.substr(0, space), both.substr(space + 1));
  }
}

/// The id of a token to be added around texts.
int64_t token_id(const json_field& id, const tokenizer_parts& parts) {
  const auto value = id.number();
  if (value < 0 || value >= static_cast<int64_t>(parts.tables.vocabulary.size()))
    id.fail("it is no token of the vocabulary");
  return value;
}

}  // namespace

std::shared_ptr<const tokenizer> tokenizer::from_gguf(const nlohmann::json& metadata) {
  if (!metadata.is_object()) throw tokenizer_error("GGUF metadata: an object is needed");
  const json_field file(metadata, "");
  if (const auto model = file["tokenizer.ggml.model"]; model.text() != "gpt2")
    model.fail("the model \"" + model.text() + "\" is not supported, only gpt2 (byte-level BPE)");
  const auto& pre = find_convention(file["tokenizer.ggml.pre"]);
  tokenizer_parts parts;
  read_tokens(file, parts);
  read_merges(file["tokenizer.ggml.merges"], parts.tables);
  parts.tables.ignore_merges = pre.ignore_merges;
  for (const auto pattern : pre.patterns)
    parts.pretokenizer.emplace_back(pattern_split{regex::from_pattern(pattern, "tokenizer.ggml.pre")});
  parts.pretokenizer.emplace_back(byte_level{});
  if (file["tokenizer.ggml.add_bos_token"].flag(pre.add_begin))
    parts.prefix.push_back(token_id(file["tokenizer.ggml.bos_token_id"], parts));
  if (file["tokenizer.ggml.add_eos_token"].flag(false))
    parts.suffix.push_back(token_id(file["tokenizer.ggml.eos_token_id"], parts));
  return make_tokenizer(std::move(parts), "tokenizer.ggml");
}

}  // namespace corolla::model
