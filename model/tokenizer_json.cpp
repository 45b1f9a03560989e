// Reads the parts of a tokenizer from Hugging Face's tokenizer.json.
#include <optional>

#include "model/tokenizer_field.hpp"
#include "model/tokenizer_parts.hpp"
#include "model/tokenizer_utf8.hpp"

namespace corolla::model {

namespace {

constexpr size_t max_depth = 16;   // of sequences in sequences
constexpr size_t max_steps = 256;  // of a normalizer or a pre-tokenizer

std::pair<std::string, std::string> read_merge(const json_field& merge) {
  if (merge.value().is_array()) {
    const auto pair = merge.items();
    if (pair.size() != 2) merge.fail("a pair is needed");
    return {pair[0].text(), pair[1].text()};
  }
  const auto& both = merge.text();
  const auto space = both.find(' ');
  if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos)
    merge.fail("two tokens with a space between them are needed");
  return {both.substr(0, space), both.substr(space + 1)};
}

void refuse_option(const json_field& option) {
  const auto& v = option.value();
  const bool off = v.is_null() || (v.is_string() && v.get_ref<const std::string&>().empty()) ||
                   (v.is_boolean() && !v.get<bool>()) || (v.is_number() && v.get<double>() == 0);
  if (!off) option.fail("it is not supported");
}

bpe_tables read_model(const json_field& model) {
  if (const auto type = model["type"]; !type.is_null() && type.text() != "BPE")
    type.fail("the type \"" + type.text() + "\" is not supported, only BPE");
  for (const auto* name : {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"})
    refuse_option(model[name]);
  bpe_tables tables;
  if (const auto unknown = model["unk_token"]; !unknown.is_null()) tables.unknown = unknown.text();
  tables.fuse_unknown = model["fuse_unk"].flag(false);
  tables.ignore_merges = model["ignore_merges"].flag(false);
  const auto vocabulary = model["vocab"];
  if (!vocabulary.value().is_object()) vocabulary.fail("an object is needed");
  if (vocabulary.value().size() > static_cast<size_t>(bpe_tables::max_vocabulary)) vocabulary.fail("it is too large");
  tables.vocabulary.reserve(vocabulary.value().size());
  for (const auto& [token, id] : vocabulary.value().items())
    tables.vocabulary.emplace_back(token, json_field(id, "model.vocab").number());
  const auto merges = model["merges"];
  if (!merges.value().is_array()) merges.fail("a list is needed");
  if (merges.value().size() > bpe_tables::max_merges) merges.fail("it is too large");
  tables.merges.reserve(merges.value().size());
  for (const auto& merge : merges.value())
    if (!merge.is_string() || !merge.get_ref<const std::string&>().starts_with("#version"))
      tables.merges.push_back(read_merge({merge, "model.merges"}));
  return tables;
}

std::vector<added_token> read_added(const json_field& list) {
  std::vector<added_token> tokens;
  if (list.is_null()) return tokens;
  if (list.value().size() > static_cast<size_t>(bpe_tables::max_vocabulary)) list.fail("it is too large");
  for (const auto& item : list.items()) {
    added_token token;
    token.content = item["content"].text();
    token.id = item["id"].number();
    token.special = item["special"].flag(false);
    token.single_word = item["single_word"].flag(false);
    token.lstrip = item["lstrip"].flag(false);
    token.rstrip = item["rstrip"].flag(false);
    token.normalized = item["normalized"].flag(true);
    if (token.id < 0) item["id"].fail("it is negative");
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// {"Regex": …} or {"String": …}.
regex read_pattern(const json_field& pattern) {
  if (const auto literal = pattern["String"]; !literal.is_null())
    return regex::from_literal(literal.text(), literal.path());
  const auto expression = pattern["Regex"];
  return regex::from_pattern(expression.text(), expression.path());
}

split_behavior read_behavior(const json_field& behavior) {
  static constexpr std::pair<std::string_view, split_behavior> names[] = {
      {"Isolated", split_behavior::isolated},
      {"Removed", split_behavior::removed},
      {"MergedWithPrevious", split_behavior::merged_with_previous},
      {"MergedWithNext", split_behavior::merged_with_next},
      {"Contiguous", split_behavior::contiguous},
  };
  for (const auto& [name, value] : names)
    if (behavior.text() == name) return value;
  behavior.fail("\"" + behavior.text() + "\" is not supported");
}

/// Walks through sequences of steps: `members` names the list in one, `read` takes what is not one.
template <class Step, class Read>
void read_steps(
    const json_field& field, std::string_view members, std::vector<Step>& steps, Read read, size_t depth = 0) {
  if (field.is_null()) return;
  if (depth > max_depth) field.fail("sequences are nested too deeply");
  if (field["type"].text() == "Sequence") {
    const auto list = field[members];
    if (list.value().is_array() && list.value().size() > max_steps) list.fail("there are too many steps");
    for (const auto& item : list.items()) read_steps(item, members, steps, read, depth + 1);
    return;
  }
  if (steps.size() == max_steps) field.fail("there are too many steps");
  read(field, steps);
}

void read_normalizer_step(const json_field& step, std::vector<normalizer_step>& steps) {
  const auto& type = step["type"].text();
  const auto valid = [](const json_field& content) {
    if (!is_utf8(content.text())) content.fail("it is not valid UTF-8");
    return content.text();
  };
  if (type == "NFC")
    steps.emplace_back(unicode_form::nfc);
  else if (type == "NFD")
    steps.emplace_back(unicode_form::nfd);
  else if (type == "NFKC")
    steps.emplace_back(unicode_form::nfkc);
  else if (type == "NFKD")
    steps.emplace_back(unicode_form::nfkd);
  else if (type == "Lowercase")
    steps.emplace_back(lower_case{});
  else if (type == "Prepend")
    steps.emplace_back(prefix{valid(step["prepend"])});
  else if (type == "Replace")
    steps.emplace_back(replacement{read_pattern(step["pattern"]), valid(step["content"])});
  else
    step["type"].fail("the normalizer \"" + type + "\" is not supported");
}

void read_pretokenizer_step(const json_field& step, std::vector<pretokenizer_step>& steps) {
  const auto& type = step["type"].text();
  if (type == "Split") {
    steps.emplace_back(
        pattern_split{read_pattern(step["pattern"]), read_behavior(step["behavior"]), step["invert"].flag(false)});
  } else if (type == "Digits") {
    const bool each = step["individual_digits"].flag(false);
    steps.emplace_back(
        character_split{character_split::kind::digit, each ? split_behavior::isolated : split_behavior::contiguous});
  } else if (type == "Punctuation") {
    const auto behavior = step["behavior"];
    steps.emplace_back(character_split{
        character_split::kind::punctuation, behavior.is_null() ? split_behavior::isolated : read_behavior(behavior)});
  } else if (type == "ByteLevel") {
    byte_level bytes;
    bytes.add_prefix_space = step["add_prefix_space"].flag(true);
    if (step["use_regex"].flag(true)) bytes.pattern = regex::from_pattern(gpt2_pattern, step.path());
    steps.emplace_back(std::move(bytes));
  } else {
    step["type"].fail("the pre-tokenizer \"" + type + "\" is not supported");
  }
}

/// What a TemplateProcessing puts around one text.
struct template_ids {
  std::vector<int64_t> prefix, suffix;
};

template_ids read_template(const json_field& processor) {
  template_ids result;
  bool behind = false;
  for (const auto& item : processor["single"].items()) {
    if (const auto sequence = item["Sequence"]; !sequence.is_null()) {
      if (behind || sequence["id"].text() != "A") item.fail("exactly one sequence, A, is supported");
      behind = true;
      continue;
    }
    const auto ids = processor["special_tokens"][item["SpecialToken"]["id"].text()]["ids"];
    for (const auto& id : ids.items()) (behind ? result.suffix : result.prefix).push_back(id.number());
  }
  if (!behind) processor["single"].fail("exactly one sequence, A, is supported");
  return result;
}

void read_postprocessor_step(const json_field& step, std::vector<template_ids>& steps) {
  const auto& type = step["type"].text();
  if (type == "TemplateProcessing" && steps.empty())
    steps.push_back(read_template(step));
  else if (type == "TemplateProcessing")
    step["type"].fail("a second template is not supported");
  else if (type != "ByteLevel")  // which only trims offsets
    step["type"].fail("the post-processor \"" + type + "\" is not supported");
}

token_decoder read_decoder(const json_field& decoder) {
  if (decoder.is_null()) return token_decoder::space_joined;
  std::vector<token_decoder> steps;
  read_steps(decoder, "decoders", steps, [](const json_field& step, std::vector<token_decoder>& found) {
    const auto& type = step["type"].text();
    if (type == "ByteLevel" && found.empty())
      found.push_back(token_decoder::byte_level);
    else if (type != "Fuse")
      step["type"].fail("the decoder \"" + type + "\" is not supported here");
  });
  return steps.empty() ? token_decoder::joined : steps.front();
}

/// tokenizer_config.json overrides the post-processor where it says whether to add a beginning or an end.
std::optional<template_ids> read_config(const json_field& config, const tokenizer_parts& parts) {
  if (config.is_null()) return {};
  const auto add_begin = config["add_bos_token"], add_end = config["add_eos_token"];
  if (add_begin.is_null() && add_end.is_null()) return {};
  template_ids result;
  const auto id_of = [&](const json_field& token) {
    const auto& content = token.value().is_object() ? token["content"].text() : token.text();
    for (const auto& added : parts.added)
      if (added.content == content) return added.id;
    for (const auto& [text, id] : parts.tables.vocabulary)
      if (text == content) return id;
    token.fail("\"" + content + "\" is not a token");
  };
  const auto begin = config["bos_token"], end = config["eos_token"];
  if (add_begin.flag(false) && !begin.is_null()) result.prefix.push_back(id_of(begin));
  if (add_end.flag(false) && !end.is_null()) result.suffix.push_back(id_of(end));
  return result;
}

}  // namespace

std::shared_ptr<const tokenizer> tokenizer::from_json(
    const nlohmann::json& tokenizer_json, const nlohmann::json& config) {
  const json_field file(tokenizer_json, "");
  if (!tokenizer_json.is_object()) throw tokenizer_error("tokenizer.json: an object is needed");
  tokenizer_parts parts;
  parts.tables = read_model(file["model"]);
  parts.added = read_added(file["added_tokens"]);
  read_steps(file["normalizer"], "normalizers", parts.normalizer, read_normalizer_step);
  read_steps(file["pre_tokenizer"], "pretokenizers", parts.pretokenizer, read_pretokenizer_step);
  parts.decoder = read_decoder(file["decoder"]);
  std::vector<template_ids> around;
  read_steps(file["post_processor"], "processors", around, read_postprocessor_step);
  if (auto override = read_config({config, "tokenizer_config"}, parts)) around = {std::move(*override)};
  if (!around.empty()) {
    parts.prefix = std::move(around.front().prefix);
    parts.suffix = std::move(around.front().suffix);
  }
  return make_tokenizer(std::move(parts), "model");
}

}  // namespace corolla::model
