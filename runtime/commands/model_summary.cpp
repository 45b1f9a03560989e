#include "runtime/commands/model_summary.hpp"

#include <map>
#include <numeric>
#include <string>

#include "model/digest.hpp"
#include "model/ends.hpp"

namespace corolla::runtime::commands {
namespace {

using nlohmann::ordered_json;

/// Tensors of one block, or of the ends.
struct part {
  uint64_t tensors = 0;
  uint64_t parameters = 0;
  uint64_t bytes = 0;  ///< in the types they have in memory when nothing is converted

  void add(const model::shape& dims, model::dtype type) {
    const auto elements = std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>{});
    ++tensors;
    parameters += static_cast<uint64_t>(elements);
    bytes += static_cast<uint64_t>(elements) * model::size_of(type);
  }
  void add(const part& other) {
    tensors += other.tensors;
    parameters += other.parameters;
    bytes += other.bytes;
  }
};

ordered_json to_json(const part& p, const model::digest& digest) {
  return {{"tensors", p.tensors}, {"parameters", p.parameters}, {"bytes", p.bytes}, {"digest", model::to_hex(digest)}};
}

ordered_json tokenizer_of(const model::checkpoint& source) {
  const auto kind = source.tokenizer().what;
  if (kind == model::tokenizer_source::kind::none) return nullptr;
  ordered_json result{{"source", kind == model::tokenizer_source::kind::gguf ? "gguf" : "tokenizer.json"}};
  // One that is not supported is worth telling, and no reason to tell nothing else.
  try {
    result["size"] = model::load_tokenizer(source)->size();
  } catch (const model::tokenizer_error& error) {
    result["error"] = error.what();
  }
  return result;
}

}  // namespace

ordered_json summarise(const model::checkpoint& source, const model::model_digests& digests) {
  std::vector<part> blocks(digests.blocks.size());
  part ends, all;
  std::map<std::string, uint64_t> dtypes;
  for (const auto& name : source.tensor_names()) {
    const auto block = model::block_of(name);
    (block && *block < blocks.size() ? blocks[*block] : ends).add(source.dims(name), source.type(name));
    ++dtypes[std::string{to_string(source.type(name))}];
  }
  all.add(ends);
  for (const auto& block : blocks) all.add(block);
  ordered_json result{
      {"name", source.name()},
      {"path", source.path().string()},
      {"family", source.config().value("model_type", "")},
      {"id", source.name() + "@" + model::to_hex(digests.model, 6)},
      {"num_blocks", blocks.size()},
      {"dtypes", dtypes}};
  result["model"] = to_json(all, digests.model);
  result["ends"] = to_json(ends, digests.ends);
  result["blocks"] = ordered_json::array();
  for (size_t i = 0; i < blocks.size(); ++i) result["blocks"].push_back(to_json(blocks[i], digests.blocks[i]));
  result["tokenizer"] = tokenizer_of(source);
  result["config"] = source.config();
  return result;
}

}  // namespace corolla::runtime::commands
