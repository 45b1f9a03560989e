// How a generated text ends, and how it is told: in this process, and through a swarm.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "long_golden.hpp"
#include "places.hpp"

namespace corolla::tests {

namespace {

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;

const golden& expected() {
  static const golden facts{"llama"};
  return facts;
}
token_ids prompt() {
  return expected().prompts()[0];
}
token_ids greedy() {
  return expected().greedy()[0];
}

/// The golden text up to its fourth token, which is none of those before it.
token_ids beginning() {
  auto ids = greedy();
  ids.resize(4);
  if (std::find(ids.begin(), ids.end() - 1, ids.back()) != ids.end() - 1)
    throw std::logic_error("the fourth token of the golden text was there before");
  return ids;
}

/// Words that do not say what to do at the end of a text.
std::vector<std::string> plain_continuation() {
  return {"--ids", to_list(prompt()), "--max-new-tokens", std::to_string(greedy().size())};
}

/// The tiny llama with other ids that end a text.
class llama_that_ends {
 public:
  explicit llama_that_ends(const nlohmann::json& eos) {
    for (const auto* file : {"config.json", "model.safetensors"})
      fs::copy_file(expected().folder() / file, dir_ / file);
    auto config = nlohmann::json::parse(std::ifstream{expected().folder() / "generation_config.json"});
    config["eos_token_id"] = eos;
    dir_.write("generation_config.json", config.dump());
  }
  const fs::path& path() const { return dir_.path(); }

 private:
  temp_dir dir_;
};

/// A small random model that brings a tokenizer.
placed_model& talker() {
  static const temp_dir dir;
  static placed_model model = [] {
    const auto folder = dir / "talker";
    const auto made = run_corolla({"make-model", "--small", "bloom-560m", folder, "--seed", "1"});
    if (!made.end.is(0)) throw std::runtime_error(made.err);
    return placed_model{folder, {"0:9", "9:24"}};
  }();
  return model;
}

constexpr size_t talk_tokens = 24;

/// Hot, so that most tokens differ from the one before.
std::vector<std::string> talk(int seed) {
  return {"--prompt",      "a cat sat", "--max-new-tokens", std::to_string(talk_tokens), "--ignore-eos",
          "--temperature", "4",         "--seed",           std::to_string(seed)};
}

bool is_letter(char c) {
  return c >= 'a' && c <= 'z';
}

std::set<std::string> keys_of(const nlohmann::json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

using key_set = std::set<std::string>;
const key_set token_keys{"id", "text", "t_ms", "margin"};
const key_set answer_keys{"ids", "text", "time_to_first_token_s", "tokens_per_s", "route", "recoveries"};

/// Without the object that comes last.
std::string joined_text(const std::vector<nlohmann::json>& lines) {
  std::string text;
  for (size_t i = 0; i + 1 < lines.size(); ++i) text += lines[i].at("text").get<std::string>();
  return text;
}

void check_route(const nlohmann::json& route, place where) {
  for (const auto& hop : route) {
    BOOST_TEST((keys_of(hop) == key_set{"peer", "blocks", "ms"}), hop);
    BOOST_TEST(hop.at("ms").is_number(), hop);
    BOOST_TEST(hop.at("peer").get<std::string>().size() == (where == place::here ? std::string{"local"}.size() : 52u));
  }
  std::vector<std::vector<int>> blocks;
  for (const auto& hop : route) blocks.push_back(hop.at("blocks"));
  const auto wanted =
      where == place::here ? std::vector<std::vector<int>>{{0, 4}} : std::vector<std::vector<int>>{{0, 1}, {1, 4}};
  BOOST_TEST((blocks == wanted), route);
}

}  // namespace

BOOST_DATA_TEST_CASE(a_stop_id_ends_a_text_and_is_its_last_token, data::make(both_places), where) {
  const auto wanted = beginning();
  const auto stop = to_list({511, wanted.back()});
  const auto plain = tiny_llama().generate(where, with(plain_continuation(), {"--stop-ids", stop}));
  BOOST_TEST(ids_of(plain) == wanted, boost::test_tools::per_element());
  // What the model's own end is, is another matter.
  const auto on = tiny_llama().generate(where, with(plain_continuation(), {"--stop-ids", stop, "--ignore-eos"}));
  BOOST_TEST(ids_of(on) == wanted, boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(the_models_end_of_text_ends_a_text_unless_it_is_ignored, data::make(both_places), where) {
  const auto wanted = beginning();
  const auto last = wanted.back();
  for (const auto& eos : {nlohmann::json(last), nlohmann::json{2, last}}) BOOST_TEST_CONTEXT(eos) {
      const llama_that_ends other{eos};
      const auto ended = tiny_llama().generate(where, plain_continuation(), other.path());
      BOOST_TEST(ids_of(ended) == wanted, boost::test_tools::per_element());
      const auto on = tiny_llama().generate(where, with(plain_continuation(), {"--ignore-eos"}), other.path());
      BOOST_TEST(ids_of(on) == greedy(), boost::test_tools::per_element());
    }
  BOOST_TEST(ids_of(tiny_llama().generate(where, plain_continuation())) == greedy(), boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(a_stop_text_cuts_what_is_shown_and_ends_the_text, data::make(both_places), where) {
  const std::vector<nlohmann::json> whole = talker().stream(where, talk(2));
  const auto text = joined_text(whole);
  auto ids = ids_of(whole.back());
  // The last letter of one token and the first of the next, in the middle of the text.
  size_t at = 0, tokens = 5;
  for (auto length = joined_text({whole.begin(), whole.begin() + 6}).size(); tokens < talk_tokens; ++tokens) {
    const auto here = length - 1;
    if (is_letter(text[here]) && is_letter(text[here + 1]) && text.find(text.substr(here, 2)) == here) {
      at = here;
      break;
    }
    length += whole[tokens].at("text").get<std::string>().size();
  }
  BOOST_TEST_REQUIRE(at > 0u, text);
  ids.resize(tokens + 1);
  const auto shown = text.substr(0, at);
  const auto stopping = with(talk(2), {"--stop", "no such text", "--stop", text.substr(at, 2)});
  const auto answer = talker().generate(where, stopping);
  BOOST_TEST(answer.at("text") == shown);
  BOOST_TEST(ids_of(answer) == ids, boost::test_tools::per_element());
  BOOST_TEST(talker().run(where, "generate", stopping).out == shown + '\n');
  BOOST_TEST(joined_text(talker().stream(where, stopping)) == shown);
}

BOOST_DATA_TEST_CASE(text_that_is_held_back_comes_with_the_last_token, data::make(both_places), where) {
  // It ends with half a character.
  const std::string text = talker().generate(where, talk(1)).at("text");
  BOOST_TEST_REQUIRE(text.ends_with("\xef\xbf\xbd"), text);
  const auto check = [&](const std::vector<std::string>& words) {
    const auto lines = talker().stream(where, words);
    BOOST_TEST(lines.size() == talk_tokens + 1);
    BOOST_TEST(joined_text(lines) == text);
    BOOST_TEST(lines.back().at("text") == text);
    BOOST_TEST(talker().run(where, "generate", words).out == text + '\n');
  };
  check(talk(1));
  // Its end might still become a stop text, until there is nothing more to come.
  const auto end = text.substr(text.find_last_of("abcdefghijklmnopqrstuvwxyz"));
  check(with(talk(1), {"--stop", end + " and more"}));
}

BOOST_AUTO_TEST_CASE(a_stop_text_without_a_tokenizer_is_refused) {
  for (const auto where : both_places) {
    const auto result = tiny_llama().run(where, "generate", with(plain_continuation(), {"--stop", "x"}));
    BOOST_TEST(result.end.is(1));
    BOOST_TEST(result.err.find("stop strings need a tokenizer") != std::string::npos, result.err);
  }
}

BOOST_DATA_TEST_CASE(json_holds_these_keys_and_no_others, data::make(both_places), where) {
  const auto answer = tiny_llama().generate(where, plain_continuation());
  BOOST_TEST((keys_of(answer) == answer_keys), answer);
  BOOST_TEST(ids_of(answer) == greedy(), boost::test_tools::per_element());
  BOOST_TEST(answer.at("text") == "");
  BOOST_TEST(answer.at("time_to_first_token_s") > 0.0);
  BOOST_TEST(answer.at("tokens_per_s") > 0.0);
  BOOST_TEST(answer.at("recoveries") == nlohmann::json::array());
  check_route(answer.at("route"), where);
}

BOOST_DATA_TEST_CASE(json_stream_holds_a_line_a_token_and_the_same_object_last, data::make(both_places), where) {
  const long_golden reference{"llama"};
  const auto text = reference.text("of_40");
  const std::vector<nlohmann::json> lines = tiny_llama().stream(where, continuation(text.prompt, text.greedy.size()));
  BOOST_TEST_REQUIRE(lines.size() == text.greedy.size() + 1);
  double before = 0;
  for (size_t i = 0; i < text.greedy.size(); ++i) BOOST_TEST_CONTEXT(lines[i]) {
      auto keys = token_keys;
      // The first tells the route that was opened, where there is one.
      if (i == 0 && where == place::in_a_swarm) {
        keys.insert("route");
        check_route(lines[i].at("route"), where);
      }
      BOOST_TEST((keys_of(lines[i]) == keys));
      BOOST_TEST(lines[i].at("id") == text.greedy[i]);
      BOOST_TEST(lines[i].at("text") == "");
      BOOST_TEST(lines[i].at("t_ms").get<double>() >= before);
      before = lines[i].at("t_ms");
      // Both logits may be off, and the reference is rounded to six digits.
      BOOST_TEST(std::abs(lines[i].at("margin").get<double>() - text.margins[i]) <= 2 * reference.tolerance() + 1e-6);
    }
  BOOST_TEST((keys_of(lines.back()) == answer_keys), lines.back());
  BOOST_TEST(ids_of(lines.back()) == text.greedy, boost::test_tools::per_element());
  check_route(lines.back().at("route"), where);
}

}  // namespace corolla::tests
