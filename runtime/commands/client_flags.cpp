#include "runtime/commands/client_flags.hpp"

#include "runtime/deep_prompts.hpp"
#include "runtime/errors.hpp"
#include "runtime/threads.hpp"

namespace corolla::runtime::commands {

void client_flags::add_to(CLI::App& app) {
  threads_ = available_processors();
  app.add_option("--model", model_, "Hugging Face folder or GGUF file")->required();
  app.add_option(
      "--deep-prompts", deep_prompts_,
      "safetensors file with deep_prompts [blocks, tokens, hidden size]: added to what goes into each block at the "
      "first positions");
  app.add_flag("--local", local_, "runs the whole model in this process instead");
  app.add_option("--dtype", dtype_, "what the arithmetic here uses: float32 or bfloat16")->capture_default_str();
  app.add_option("--threads", threads_, "threads that compute here")->capture_default_str()->check(CLI::Range(1, 1024));
  app.add_option("--chunk-tokens", chunk_tokens_, "tokens of a prompt in one step")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  app.add_flag("--no-pipeline", no_pipeline_, "waits for each step of a prompt before it sends the next");
  app.add_option(
         "--step-timeout-ms", step_timeout_ms_,
         "milliseconds without a route or a token, however many servers were tried meanwhile, after which it is given "
         "up")
      ->check(CLI::PositiveNumber);
  app.add_option("--alloc-timeout-ms", alloc_timeout_ms_, "milliseconds to wait for room in the servers' caches")
      ->capture_default_str();
  app.add_option("--allow", allow_, "ids of the servers to use, with commas between, and no others")->delimiter(',');
  app.add_option("--block", block_, "ids of servers not to use, with commas between")->delimiter(',');
  app.add_option("--better-by", better_by_, "moves to a route of which a token would take so many times less")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 1e9));
  swarm_.add_to(app);
  app.set_config("--config-file", "", "a file of these options, as config/client.ini");
  app.allow_config_extras(false);
}

client_options client_flags::options() const {
  client_options result;
  result.model = model_;
  result.local = local_;
  if (local_ && swarm_.has_peers())
    throw usage_error("--local runs the model here, and --peers elsewhere: give one of them");
  result.peers = swarm_.peers();
  if (!local_ && !swarm_.has_peers())
    throw usage_error("give --peers with a node of the swarm, corolla://ID@HOST:PORT, or --local");
  result.allow = checked_ids("--allow", allow_);
  result.block = checked_ids("--block", block_);
  if (local_ && !(allow_.empty() && block_.empty()))
    throw usage_error("--allow and --block choose among servers, and --local uses none");
  const auto type = model::parse_dtype(dtype_);
  if (type != model::dtype::float32 && type != model::dtype::bfloat16)
    throw usage_error("--dtype is float32 or bfloat16, not \"" + dtype_ + "\"");
  result.compute = *type;
  result.threads = threads_;
  result.chunk_tokens = chunk_tokens_;
  result.pipeline = !no_pipeline_;
  result.alloc_timeout = std::chrono::milliseconds{alloc_timeout_ms_};
  result.step_timeout = std::chrono::milliseconds{step_timeout_ms_};
  result.better_by = better_by_;
  result.swarm = swarm_.options();
  if (!deep_prompts_.empty()) result.deep_prompts = read_deep_prompts(deep_prompts_);
  return result;
}

}  // namespace corolla::runtime::commands
