#include "runtime/deep_prompts.hpp"

#include <string>

#include "model/convert.hpp"
#include "model/safetensors.hpp"
#include "runtime/client.hpp"

namespace corolla::runtime {

model::tensor read_deep_prompts(const std::filesystem::path& path) {
  const model::safetensors_file file{path};
  auto prompts = file.load("deep_prompts");
  if (prompts.rank() != 3 || prompts.numel() == 0 || !model::is_float(prompts.type()))
    throw client_error(
        path.string() + ": deep_prompts are floats of [blocks, tokens, hidden size], not " +
        std::string{to_string(prompts.type())} + " " + model::to_string(prompts.dims()));
  if (!model::all_finite(prompts)) throw client_error(path.string() + ": deep_prompts hold a value that is not finite");
  return prompts;
}

void check_deep_prompts(const model::tensor& prompts, const model::ends& ends) {
  const auto& dims = prompts.dims();
  if (prompts.numel() == 0) return;
  if (dims.size() == 3 && model::is_float(prompts.type()) && dims[0] == ends.num_blocks() &&
      dims[2] == ends.hidden_size())
    return;
  throw client_error(
      "deep prompts are " + std::string{to_string(prompts.type())} + " " + model::to_string(dims) +
      ", and the model's are floats of [" + std::to_string(ends.num_blocks()) + ", tokens, " +
      std::to_string(ends.hidden_size()) + "]");
}

}  // namespace corolla::runtime
