#include <iomanip>
#include <iostream>

#include "runtime/commands/model_summary.hpp"
#include "runtime/commands/parse.hpp"
#include "runtime/errors.hpp"
#include "runtime/logging.hpp"

namespace corolla::runtime::commands {
namespace {

using nlohmann::ordered_json;

std::string megabytes(const ordered_json& bytes) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(1) << bytes.get<double>() / 1e6 << " MB";
  return out.str();
}

std::string short_digest(const ordered_json& part) {
  return part["digest"].get<std::string>().substr(0, 12);
}

void row(const std::string& name, const std::string& value) {
  std::cout << std::left << std::setw(14) << name << value << '\n';
}

void print_part(const std::string& name, const ordered_json& part) {
  std::cout << std::left << std::setw(14) << name << std::right << std::setw(12) << megabytes(part["bytes"])
            << std::setw(8) << part["tensors"].dump() << " tensors  " << short_digest(part) << '\n';
}

void print(const ordered_json& summary) {
  row("model", summary["id"]);
  row("file", summary["path"]);
  row("family", summary["family"]);
  std::string dtypes;
  for (const auto& [type, count] : summary["dtypes"].items())
    dtypes += (dtypes.empty() ? "" : ", ") + type + " (" + count.dump() + " tensors)";
  row("dtypes", dtypes);
  row("parameters", summary["model"]["parameters"].dump());
  const auto& tokenizer = summary["tokenizer"];
  if (tokenizer.is_null())
    row("tokenizer", "none");
  else if (tokenizer.contains("error"))
    row("tokenizer", tokenizer["error"]);
  else
    row("tokenizer", tokenizer["size"].dump() + " ids, from " + tokenizer["source"].get<std::string>());
  for (const auto& [key, value] : summary["config"].items())
    if (!value.is_structured()) row("", key + " = " + value.dump());
  row("digest", summary["model"]["digest"]);
  std::cout << "\nBytes are those of the types above; a server holds them in the type it computes with.\n";
  print_part("ends", summary["ends"]);
  for (size_t i = 0; i < summary["blocks"].size(); ++i) print_part("block " + std::to_string(i), summary["blocks"][i]);
}

}  // namespace

int inspect(const arguments& args) {
  CLI::App app{
      "Tells what a model file holds: family, configuration, blocks, sizes in bytes, digests, tokenizer.", "inspect"};
  std::string path;
  bool json = false;
  app.add_option("MODEL", path, "Hugging Face folder or GGUF file")->required();
  app.add_flag("--json", json, "prints one object");
  if (!parse(app, args)) return exit_done;
  const auto source = model::checkpoint::open(path);
  model::model_digests digests;
  {
    progress_line progress{"digest of " + source->name()};
    digests = source->digests([&](uint64_t done, uint64_t all) { progress.show(done, all); });
  }
  const auto summary = summarise(*source, digests);
  if (json)
    std::cout << summary.dump(2, ' ', false, ordered_json::error_handler_t::replace) << '\n';
  else
    print(summary);
  return exit_done;
}

}  // namespace corolla::runtime::commands
