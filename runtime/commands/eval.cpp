#include <iostream>
#include <map>

#include <nlohmann/json.hpp>

#include "model/safetensors.hpp"
#include "runtime/commands/client_flags.hpp"
#include "runtime/commands/parse.hpp"
#include "runtime/cross_entropy.hpp"
#include "runtime/errors.hpp"

namespace corolla::runtime::commands {
namespace {

model::tensor read_ids(const std::string& path) {
  const model::safetensors_file file{path};
  auto ids = file.load("input_ids");
  if (ids.type() != model::dtype::int64 || ids.rank() != 2 || ids.numel() == 0)
    throw std::runtime_error(
        path + ": input_ids is int64 [B, S], not " + std::string{to_string(ids.type())} + " " +
        model::to_string(ids.dims()));
  return ids;
}

void write(const std::string& path, const evaluated& result, bool hidden) {
  std::map<std::string, model::tensor> tensors{{"logits", result.logits}};
  if (hidden) {
    tensors.emplace("embeddings", result.embeddings);
    tensors.emplace("final_norm", result.final_norm);
    for (size_t i = 0; i < result.block_outputs.size(); ++i)
      tensors.emplace("block_output." + std::to_string(i), result.block_outputs[i]);
  }
  model::write_safetensors(path, tensors);
}

}  // namespace

int eval(const arguments& args) {
  CLI::App app{
      "Runs texts through a model: writes what comes out, and prints the mean cross-entropy in nats and the perplexity "
      "as "
      "JSON.",
      "eval"};
  client_flags flags;
  std::string in, out;
  bool hidden = false;
  flags.add_to(app);
  app.add_option("--inputs", in, "safetensors file with input_ids, int64 [B, S]")->required();
  app.add_option("--out", out, "safetensors file to write: logits [B, S, V]")->required();
  app.add_flag("--hidden", hidden, "also writes embeddings, block_output.0, block_output.1, ... and final_norm");
  if (!parse(app, args)) return exit_done;
  const auto options = flags.options();
  const auto ids = read_ids(in);
  const auto result = client::make(options)->evaluate(ids, hidden);
  write(out, result, hidden);
  const auto text = score(result.logits, ids);
  std::cout
      << nlohmann::
             ordered_json{{"cross_entropy", text.cross_entropy}, {"perplexity", text.perplexity()}, {"tokens", text.tokens}}
      << '\n';
  return exit_done;
}

}  // namespace corolla::runtime::commands
