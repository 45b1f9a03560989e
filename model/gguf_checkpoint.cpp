// GGUF files as checkpoints.
#include <memory>
#include <utility>

#include "model/file_checkpoint.hpp"
#include "model/gguf.hpp"
#include "model/gguf_llama.hpp"

namespace corolla::model {

namespace {

using nlohmann::json;

tokenizer_source read_tokenizer(const mapped_file& file) {
  file.check_unchanged();
  const auto contents = parse_gguf(file.bytes(), file.label());
  tokenizer_source source;
  if (contents.metadata.find("tokenizer.ggml.tokens") == contents.metadata.end()) return source;
  source.what = tokenizer_source::kind::gguf;
  source.content = json::object();
  for (const auto& [key, value] : contents.metadata)
    if (key.starts_with("tokenizer.ggml.")) source.content[key] = decode(value);
  if (const auto found = contents.metadata.find("tokenizer.chat_template"); found != contents.metadata.end())
    source.config = {{"chat_template", decode(found->second)}};
  return source;
}

}  // namespace

std::shared_ptr<const checkpoint> open_gguf(const std::filesystem::path& path) {
  auto file = std::make_shared<const mapped_file>(path);
  const auto contents = parse_gguf(file->bytes(), file->label());
  checkpoint_parts parts;
  parts.path = path;
  parts.config = llama_config(contents, file->label());
  parts.tensors = llama_tensors(contents, parts.config, file->label());
  for (auto& t : parts.tensors) t.file = file;
  parts.tokenizer = [file] { return read_tokenizer(*file); };
  // The headers were read, and nothing else: a vocabulary can take megabytes.
  file->give_back(file->bytes());
  return make_checkpoint(std::move(parts));
}

}  // namespace corolla::model
