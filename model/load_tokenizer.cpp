#include "model/load_tokenizer.hpp"

#include <string>

namespace corolla::model {

std::shared_ptr<const tokenizer> load_tokenizer(const tokenizer_source& described, const std::filesystem::path& path) {
  using kind = tokenizer_source::kind;
  if (described.what == kind::none) return nullptr;
  try {
    return described.what == kind::gguf ? tokenizer::from_gguf(described.content)
                                        : tokenizer::from_json(described.content, described.config);
  } catch (const tokenizer_error& e) {
    const std::string what = e.what();
    const auto* name = what.starts_with("tokenizer_config") ? "tokenizer_config.json" : "tokenizer.json";
    throw tokenizer_error((described.what == kind::gguf ? path : path / name).string() + ": " + what);
  }
}

}  // namespace corolla::model
