#include <algorithm>

#include "model/make_model.hpp"

#include "runtime/commands/parse.hpp"
#include "runtime/errors.hpp"
#include "runtime/logging.hpp"
#include "runtime/nearest.hpp"

namespace corolla::runtime::commands {
namespace {

std::vector<std::string> shape_names() {
  const auto shapes = model::model_shapes();
  return {shapes.begin(), shapes.end()};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

int make_model(const arguments& args) {
  const auto shapes = shape_names();
  CLI::App app{
      "Writes a model with random weights in the shape of a real one, with a tokenizer, for measurements and tests.",
      "make-model"};
  std::string shape, folder;
  bool small = false;
  uint64_t seed = 0;
  app.add_option("SHAPE", shape, "one of " + joined(shapes))->required();
  app.add_option("DIR", folder, "folder to make")->required();
  app.add_flag("--small", small, "as many blocks, but a hidden size of 64 and 512 tokens");
  app.add_option("--seed", seed, "the same seed gives the same bytes")->capture_default_str();
  if (!parse(app, args)) return exit_done;
  if (std::find(shapes.begin(), shapes.end(), shape) == shapes.end())
    throw usage_error("there is no shape " + shape + "; the nearest is " + std::string{nearest(shape, shapes)});
  progress_line progress{"writing " + folder};
  model::make_model(shape, small, folder, seed, [&](uint64_t done, uint64_t all) { progress.show(done, all); });
  return exit_done;
}

}  // namespace corolla::runtime::commands
