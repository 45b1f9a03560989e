#include <iostream>

#include <nlohmann/json.hpp>

#include "model/checkpoint.hpp"
#include "model/ends.hpp"
#include "model/json_file.hpp"
#include "model/load_tokenizer.hpp"
#include "model/tokenizer.hpp"
#include "runtime/commands/parse.hpp"
#include "runtime/errors.hpp"

namespace corolla::runtime::commands {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t max_tokenizer_bytes = 256u << 20;

/// A tokenizer.json, with the tokenizer_config.json beside it, or what a model brings.
std::shared_ptr<const model::tokenizer> load(const fs::path& path) {
  if (fs::is_regular_file(path) && path.extension() == ".json") {
    const auto config = path.parent_path() / "tokenizer_config.json";
    const model::tokenizer_source described{
        model::tokenizer_source::kind::tokenizer_json, model::read_json_object(path, max_tokenizer_bytes),
        fs::exists(config) ? model::read_json_object(config, max_tokenizer_bytes) : json{}};
    return model::load_tokenizer(described, path.parent_path());
  }
  if (fs::is_directory(path) && fs::exists(path / "tokenizer.json") && !fs::exists(path / "config.json"))
    return load(path / "tokenizer.json");
  auto result = model::load_tokenizer(*model::checkpoint::open(path));
  if (result == nullptr) throw std::runtime_error(path.string() + " brings no tokenizer");
  return result;
}

/// One line of input -> one line of output.
json convert(const model::tokenizer& tokenizer, const json& line, bool decode, bool special) {
  if (decode) return tokenizer.decode(line.get<std::vector<int64_t>>(), /*skip_special=*/!special);
  return tokenizer.encode(line.get_ref<const std::string&>(), /*add_special=*/special);
}

}  // namespace

int tokenize(const arguments& args) {
  CLI::App app{
      "Turns text into ids: reads a JSON string a line on standard input, writes a JSON list of ids a line.",
      "tokenize"};
  std::string path;
  bool special = false, decode = false;
  app.add_option("--tokenizer", path, "tokenizer.json, model folder or GGUF file")->required();
  app.add_flag("--special", special, "adds the special tokens that the model expects; with --decode, shows them");
  app.add_flag("--decode", decode, "the other way: lists of ids in, strings out");
  if (!parse(app, args)) return exit_done;
  const auto tokenizer = load(path);
  std::string text;
  for (size_t number = 1; std::getline(std::cin, text); ++number) {
    const auto line = json::parse(text, nullptr, /*allow_exceptions=*/false);
    try {
      std::cout << convert(*tokenizer, line, decode, special).dump(-1, ' ', false, json::error_handler_t::replace)
                << '\n';
    } catch (const json::exception&) {
      throw std::runtime_error(
          "line " + std::to_string(number) + " of standard input is no JSON " + (decode ? "list of ids" : "string"));
    }
    std::cout.flush();
  }
  return exit_done;
}

}  // namespace corolla::runtime::commands
