#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

#include "runtime/benches.hpp"
#include "runtime/commands/parse.hpp"
#include "runtime/errors.hpp"
#include "runtime/nearest.hpp"
#include "runtime/units.hpp"

namespace corolla::runtime::commands {
namespace {

std::string list_of_benches() {
  std::string text = "Measures on this machine.";
  for (const auto& bench : benches()) text += "\n  " + std::string{bench.name} + ": " + std::string{bench.summary};
  return text;
}

const runtime::bench& find(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& bench : benches()) {
    if (bench.name == name) return bench;
    names.emplace_back(bench.name);
  }
  throw usage_error("there is no measurement " + name + "; the nearest is " + std::string{nearest(name, names)});
}

nlohmann::ordered_json to_json(const bench_row& row) {
  const auto number_or_null = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
  };
  return {
      {"row", row.row},
      {"value", row.value},
      {"unit", row.unit},
      {"limit", number_or_null(row.limit)},
      {"ratio", number_or_null(row.ratio)},
      {"samples", row.samples}};
}

void print(const bench_row& row) {
  std::cout << row.row << ": " << row.value << ' ' << row.unit;
  if (row.ratio) std::cout << ", ratio " << *row.ratio;
  if (row.limit) std::cout << ", to hold " << *row.limit;
  std::cout << " (" << row.samples << " samples)\n";
}

}  // namespace

int bench(const arguments& args) {
  CLI::App app{list_of_benches(), "bench"};
  std::string name;
  runtime::bench_settings settings;
  std::string jitter;
  bool json = false;
  app.add_option("NAME", name, "what to measure")->required();
  app.add_option("--model", settings.model, "model to measure with, where one is needed");
  app.add_option("--threads", settings.threads, "threads that each process computes with")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  app.add_flag(
      "--grid", settings.grid,
      "recovery: each of three servers lost in every way at every third step, at a few with deep prompts, at every "
      "chunk "
      "of a prompt, and with its substitute, for the tokens; with a tiny model six to seven minutes on 2 cores, and a "
      "minute with --steps 1");
  app.add_option("--jitter", jitter, "chain: part of its delay by which a piece is early or late: 20%");
  app.add_option(
         "--steps", settings.steps,
         "chain: decode steps in which no server may be replaced; recovery --grid: at most so many, and so many "
         "chunks, at which one is lost")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--minutes", settings.minutes, "chaos: how long faults go on")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", settings.seed, "chain, chaos: the same seed makes the same network and the same faults")
      ->capture_default_str();
  app.add_flag("--json", json, "prints an object a row");
  if (!parse(app, args)) return exit_done;
  if (!jitter.empty()) {
    const auto part = parse_part(jitter);
    if (!part) throw usage_error("--jitter wants a part from 0% to 100%, not \"" + jitter + "\"");
    settings.jitter = *part;
  }
  for (const auto& row : find(name).run(settings))
    if (json)
      std::cout << to_json(row) << std::endl;
    else
      print(row);
  return exit_done;
}

}  // namespace corolla::runtime::commands
