#include "model/tokenizer.hpp"

#include <future>
#include <random>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "model/pretokenizer_regex.hpp"
#include "model/tokenizer_utf8.hpp"
#include "tests/model/tokenizer_golden.hpp"

using namespace corolla::model;
using namespace corolla::model::golden_tokenizer;

namespace {

std::shared_ptr<const tokenizer> load(const std::string& name) {
  return tokenizer::from_json(golden(name + "/tokenizer.json"), nullptr);
}

const tokenizer& smollm2() {
  static const auto t = load("smollm2");
  return *t;
}

const tokenizer& tiny_bloom() {
  static const auto t = load("tiny-bloom");
  return *t;
}

/// Streams `all` and checks the promises of tokenizer::stream.
void check_stream(const tokenizer& t, const ids& all, bool skip_special) {
  const auto stream = t.stream_decoder(skip_special);
  std::string text;
  for (const auto id : all) {
    const auto piece = stream->push(id);
    BOOST_TEST(is_utf8(piece));
    text += piece;
  }
  text += stream->finish();
  BOOST_TEST(text == t.decode(all, skip_special));
}

/// tiny-bloom's file with a change as make_variants.py applies it.
json changed(const json& change) {
  auto file = golden("tiny-bloom/tokenizer.json");
  for (const auto& [key, value] : change.items()) {
    if (key == "model")
      file["model"].update(value);
    else if (key == "added_tokens")
      file["added_tokens"].insert(file["added_tokens"].end(), value.begin(), value.end());
    else
      file[key] = value;
  }
  return file;
}

std::shared_ptr<const tokenizer> with_pattern(const std::string& pattern) {
  return tokenizer::from_json(
      changed(
          {{"pre_tokenizer",
            {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}}}}),
      nullptr);
}

void expect_refusal(const json& file, const std::string& part) {
  BOOST_CHECK_EXCEPTION(tokenizer::from_json(file, nullptr), tokenizer_error, [&](const tokenizer_error& e) {
    const bool named = std::string(e.what()).find(part) != std::string::npos;
    BOOST_TEST_INFO("says: " << e.what() << " instead of: " << part);
    BOOST_CHECK(named);
    return named;
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(the_tokenizer)

BOOST_AUTO_TEST_CASE(gives_the_reference_ids_and_text_for_smollm2) {
  check_cases(smollm2(), golden("smollm2/cases.json").at("cases"));
  BOOST_TEST(smollm2().size() == 49152);
}

BOOST_AUTO_TEST_CASE(gives_the_reference_ids_and_text_for_bloom) {
  check_cases(tiny_bloom(), golden("tiny-bloom/cases.json").at("cases"));
  BOOST_TEST(tiny_bloom().size() == 512);
}

BOOST_AUTO_TEST_CASE(gives_the_reference_ids_and_text_for_every_option_of_the_file) {
  for (const auto& variant : golden("variants.json")) BOOST_TEST_CONTEXT(variant.at("name").get<std::string>())
  check_cases(*tokenizer::from_json(changed(variant.at("change")), nullptr), variant.at("cases"));
}

BOOST_AUTO_TEST_CASE(streams_every_reference_text_in_whole_characters) {
  for (const auto* name : {"smollm2", "tiny-bloom"}) {
    const auto t = load(name);
    const auto file = golden(std::string(name) + "/cases.json");
    for (const auto& c : file.at("cases")) check_stream(*t, c.at("ids").get<ids>(), /*skip_special=*/false);
  }
}

BOOST_AUTO_TEST_CASE(streams_random_ids_as_it_decodes_them_at_once) {
  std::mt19937_64 random(1);
  const auto spaced = tokenizer::from_json(changed({{"decoder", nullptr}}), nullptr);
  for (int round = 0; round < 2000; ++round) {
    ids all(random() % 12);
    for (auto& id : all) id = static_cast<int64_t>(random() % 520) - 4;  // some are unknown
    for (const auto* t : {&tiny_bloom(), &smollm2(), spaced.get()})
      check_stream(*t, all, /*skip_special=*/round % 2 == 0);
  }
}

BOOST_AUTO_TEST_CASE(holds_back_bytes_until_they_are_a_character) {
  const auto all = tiny_bloom().encode("é", false);
  BOOST_TEST_REQUIRE(all.size() == 2u);
  const auto stream = tiny_bloom().stream_decoder(false);
  BOOST_TEST(stream->push(all[0]) == "");
  BOOST_TEST(stream->push(all[1]) == "é");
  BOOST_TEST(stream->push(all[0]) == "");
  BOOST_TEST(stream->finish() == "\uFFFD");
}

BOOST_AUTO_TEST_CASE(outlives_its_streams_owner) {
  auto t = load("tiny-bloom");
  const auto all = t->encode("hello", false);
  const auto stream = t->stream_decoder(false);
  t.reset();
  std::string text;
  for (const auto id : all) text += stream->push(id);
  BOOST_TEST(text + stream->finish() == "hello");
}

BOOST_AUTO_TEST_CASE(reads_what_is_not_utf8_as_replacement_characters) {
  BOOST_TEST(
      smollm2().encode("a\xFF\xE2\x82z\xC0\xAF", false) == smollm2().encode("a\uFFFD\uFFFDz\uFFFD\uFFFD", false));
  BOOST_TEST(repaired_utf8("\xF0\x9F\x91") == "\uFFFD");
  BOOST_TEST(repaired_utf8("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");
  BOOST_TEST(repaired_utf8("\xF4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD");
}

BOOST_AUTO_TEST_CASE(knows_its_special_tokens) {
  BOOST_TEST(smollm2().id_of("<|im_end|>") == 2);
  BOOST_TEST(smollm2().id_of("Ġthe") > 0);
  BOOST_TEST(smollm2().id_of("no such token") == -1);
  BOOST_TEST(smollm2().is_special(2));
  BOOST_TEST(!smollm2().is_special(100));
  BOOST_TEST(!smollm2().is_special(-1));
  const auto all = smollm2().encode("<|im_start|>hi<|im_end|>", false);
  BOOST_TEST(smollm2().decode(all, /*skip_special=*/true) == "hi");
  BOOST_TEST(smollm2().decode(all, /*skip_special=*/false) == "<|im_start|>hi<|im_end|>");
}

BOOST_AUTO_TEST_CASE(lets_the_config_say_what_is_put_around_a_text) {
  const auto file = golden("smollm2/tokenizer.json");
  const auto plain = tokenizer::from_json(file, golden("smollm2/tokenizer_config.json"));
  BOOST_TEST(plain->encode("hi", true) == plain->encode("hi", false));
  const auto both = tokenizer::from_json(
      file, {{"add_bos_token", true},
             {"bos_token", "<|im_start|>"},
             {"add_eos_token", true},
             {"eos_token", {{"content", "<|im_end|>"}}}});
  BOOST_TEST(both->encode("", true) == (ids{1, 2}));
}

BOOST_AUTO_TEST_CASE(gives_the_same_ids_from_several_threads) {
  const auto cases = golden("smollm2/cases.json").at("cases");
  std::vector<std::future<bool>> same;
  for (int i = 0; i < 4; ++i)
    same.push_back(std::async(std::launch::async, [&cases] {
      for (const auto& c : cases)
        if (smollm2().encode(c.at("text").get_ref<const std::string&>(), false) != c.at("ids").get<ids>()) return false;
      return true;
    }));
  for (auto& s : same) BOOST_TEST(s.get());
}

BOOST_AUTO_TEST_CASE(encodes_a_word_of_a_million_letters) {
  for (const auto& word : {std::string(1'000'000, 'a'), std::string(1'000'000, ' '), std::string(1'000'000, '<')}) {
    const auto all = smollm2().encode(word, false);
    BOOST_TEST(all.size() < word.size());
    BOOST_TEST((smollm2().decode(all, false) == word));
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(a_tokenizer_file_is_refused)

BOOST_AUTO_TEST_CASE(with_the_name_of_the_field_that_is_not_supported) {
  expect_refusal(json::array(), "an object is needed");
  expect_refusal(json::object(), "model: an object is needed");
  expect_refusal(changed({{"model", {{"type", "Unigram"}}}}), "model.type: the type \"Unigram\" is not supported");
  expect_refusal(changed({{"model", {{"byte_fallback", true}}}}), "model.byte_fallback: it is not supported");
  expect_refusal(changed({{"model", {{"dropout", 0.1}}}}), "model.dropout: it is not supported");
  expect_refusal(changed({{"model", {{"end_of_word_suffix", "</w>"}}}}), "model.end_of_word_suffix");
  expect_refusal(
      changed({{"normalizer", {{"type", "Precompiled"}}}}), "normalizer.type: the normalizer \"Precompiled\"");
  expect_refusal(changed({{"pre_tokenizer", {{"type", "Metaspace"}}}}), "pre_tokenizer.type");
  expect_refusal(
      changed({{"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", json::array({{{"type", "Whitespace"}}})}}}}),
      "pre_tokenizer.pretokenizers[0].type");
  expect_refusal(changed({{"post_processor", {{"type", "BertProcessing"}}}}), "post_processor.type");
  expect_refusal(changed({{"decoder", {{"type", "WordPiece"}}}}), "decoder.type");
}

BOOST_AUTO_TEST_CASE(when_its_tables_contradict_themselves) {
  expect_refusal(changed({{"model", {{"vocab", {{"a", 0}, {"b", 0}}}}}}), "two tokens have the id 0");
  expect_refusal(changed({{"model", {{"vocab", {{"a", 1LL << 40}}}}}}), "out of range");
  expect_refusal(changed({{"model", {{"vocab", {{"a", -1}}}}}}), "out of range");
  expect_refusal(changed({{"model", {{"vocab", {{"a", "0"}}}}}}), "model.vocab: a whole number is needed");
  expect_refusal(changed({{"model", {{"vocab", {{"a", 0.5}}}}}}), "model.vocab: a whole number is needed");
  expect_refusal(changed({{"model", {{"merges", {"no-such-token x"}}}}}), "which is not in the vocabulary");
  expect_refusal(changed({{"model", {{"merges", {"a b c"}}}}}), "model.merges: two tokens with a space");
  expect_refusal(
      changed({{"model", {{"merges", json::array({json::array({"a"})})}}}}), "model.merges: a pair is needed");
  expect_refusal(
      changed({{"model", {{"unk_token", "no such token"}}}}), "the unknown token \"no such token\" has no id");
  expect_refusal(
      changed({{"added_tokens", json::array({{{"id", 700}, {"content", "new"}}})}}), "\"new\" has the id 700, but");
  expect_refusal(
      changed({{"added_tokens", json::array({{{"id", 512}, {"content", std::string(5000, 'x')}}})}}), "4096 bytes");
}

BOOST_AUTO_TEST_CASE(when_it_is_nested_too_deeply_or_has_too_many_steps) {
  json deep = {{"type", "NFC"}};
  for (int i = 0; i < 100; ++i) deep = {{"type", "Sequence"}, {"normalizers", json::array({deep})}};
  expect_refusal(changed({{"normalizer", deep}}), "nested too deeply");
  json wide = json::array();
  for (int i = 0; i < 300; ++i) wide.push_back({{"type", "NFC"}});
  expect_refusal(changed({{"normalizer", {{"type", "Sequence"}, {"normalizers", wide}}}}), "too many steps");
}

BOOST_AUTO_TEST_CASE(when_a_pattern_cannot_be_used) {
  const auto refused = [](const std::string& pattern) {
    BOOST_TEST_CONTEXT(pattern) BOOST_CHECK_THROW(with_pattern(pattern), tokenizer_error);
  };
  for (const auto* pattern :
       {"(", ")", "[a", "a\\", "*", "(?<name>a)", "(?P>x)", "(a)\\1", "\\K", "\\C", "[a[^b]]", "[a-z&&[^b]]",
        "\\p{NoSuch}", "\\pL", "(?x:a)", "\\uZZZZ", "a{2}?", "[[:cntrl:]]"})
    refused(pattern);
  refused(std::string(5000, '('));
  refused(std::string(5000, '['));
  refused(std::string(100'000, 'a'));
  refused("((((a{1000}){1000}){1000}){1000})");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(a_pattern)

BOOST_AUTO_TEST_CASE(that_backtracks_without_end_fails_and_does_not_hang) {
  const auto t = with_pattern("(?:a|a)*b|(?:a|aa)+$");
  BOOST_CHECK_THROW(t->encode(std::string(200, 'a') + "c", false), tokenizer_error);
}

BOOST_AUTO_TEST_CASE(is_rewritten_where_the_two_syntaxes_differ) {
  BOOST_TEST(pcre2_syntax("a{,3}") == "a{0,3}");
  BOOST_TEST(pcre2_syntax("a{2}+") == "(?:a{2})+");
  BOOST_TEST(pcre2_syntax("(?:ab){2}+") == "(?:(?:ab){2})+");
  BOOST_TEST(pcre2_syntax("a{b") == "a\\{b");
  BOOST_TEST(pcre2_syntax("(a)(?m:.)") == "(?:a)(?s:.)");
  BOOST_TEST(pcre2_syntax("a(?i)b|c") == "a(?i:b|c)");
  BOOST_TEST(pcre2_syntax("(x(?i)y)z") == "(?:x(?i:y))z");
  BOOST_TEST(pcre2_syntax("[ab[c-d]-]") == "[abc-d\\-]");
  BOOST_TEST(pcre2_syntax("[]^-a-c-]") == "[\\]\\^-a\\-c\\-]");
  BOOST_TEST(pcre2_syntax("\\u0041\\h") == "\\x{0041}[0-9A-Fa-f]");
}

BOOST_AUTO_TEST_CASE(finds_empty_matches_but_none_right_behind_another) {
  const auto at = [](std::string_view pattern, std::string_view text) {
    return regex::from_pattern(pattern, "test").matches(text);
  };
  using ranges = std::vector<text_range>;
  BOOST_TEST((at("x*", "axé") == ranges{{0, 0}, {1, 2}, {4, 4}}));
  BOOST_TEST((at("(?=b)", "abb") == ranges{{1, 1}, {2, 2}}));
  BOOST_TEST((at("", "") == ranges{{0, 0}}));
  BOOST_TEST((regex::from_literal("a.", "test").matches("ab a.") == ranges{{3, 5}}));
}

BOOST_AUTO_TEST_SUITE_END()
