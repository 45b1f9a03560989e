#include "runtime/commands/client_flags.hpp"

#include "crypto/address.hpp"
#include "crypto/swarm.hpp"
#include "runtime/errors.hpp"
#include "runtime/nearest.hpp"
#include "runtime/threads.hpp"

namespace corolla::runtime::commands {

void client_flags::add_to(CLI::App& app) {
  threads_ = available_processors();
  app.add_option("--model", model_, "Hugging Face folder or GGUF file")->required();
  app.add_option("--peers", peers_, "nodes of the swarm, corolla://ID@HOST:PORT with commas between; one suffices")
      ->delimiter(',');
  app.add_flag("--local", local_, "runs the whole model in this process instead");
  app.add_option("--dtype", dtype_, "what the arithmetic here uses: float32 or bfloat16")->capture_default_str();
  app.add_option("--threads", threads_, "threads that compute here")->capture_default_str()->check(CLI::Range(1, 1024));
  app.add_option("--chunk-tokens", chunk_tokens_, "tokens of a prompt in one step")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  app.add_flag("--no-pipeline", no_pipeline_, "waits for each step of a prompt before it sends the next");
  app.add_option("--alloc-timeout-ms", alloc_timeout_ms_, "milliseconds to wait for room in the servers' caches")
      ->capture_default_str();
  app.add_option("--swarm", swarm_, "kind of swarm: local, private or open")->capture_default_str();
  app.add_option("--swarm-id", swarm_id_, "private: the swarm's id");
  app.add_option("--identity", identity_, "file of this client's key, made if missing; without it a new key each time");
  app.add_option("--certificate", certificate_, "private: file of this client's certificate");
}

client_options client_flags::options() const {
  client_options result;
  result.model = model_;
  result.peers = peers_;
  result.local = local_;
  if (local_ && !peers_.empty())
    throw usage_error("--local runs the model here, and --peers elsewhere: give one of them");
  if (!local_ && peers_.empty())
    throw usage_error("give --peers with a node of the swarm, corolla://ID@HOST:PORT, or --local");
  for (const auto& peer : peers_)
    if (!crypto::address::parse(peer))
      throw usage_error("--peers wants corolla://ID@HOST:PORT as a ready line shows it, not \"" + peer + "\"");
  const auto type = model::parse_dtype(dtype_);
  if (type != model::dtype::float32 && type != model::dtype::bfloat16)
    throw usage_error("--dtype is float32 or bfloat16, not \"" + dtype_ + "\"");
  result.compute = *type;
  result.threads = threads_;
  result.chunk_tokens = chunk_tokens_;
  result.pipeline = !no_pipeline_;
  result.alloc_timeout = std::chrono::milliseconds{alloc_timeout_ms_};
  const auto kind = crypto::parse_swarm_kind(swarm_);
  if (!kind) {
    const std::vector<std::string> kinds{"local", "private", "open"};
    throw usage_error(
        "there is no kind of swarm \"" + swarm_ + "\"; the nearest is " + std::string{nearest(swarm_, kinds)});
  }
  const auto is_private = kind == crypto::swarm_kind::private_;
  if (is_private && (swarm_id_.empty() || certificate_.empty() || identity_.empty()))
    throw usage_error("--swarm private needs --swarm-id, --identity and --certificate");
  if (!is_private && !(swarm_id_.empty() && certificate_.empty()))
    throw usage_error("--swarm-id and --certificate are for --swarm private alone, and the swarm is " + swarm_);
  result.swarm = {swarm_, swarm_id_, certificate_, identity_};
  return result;
}

}  // namespace corolla::runtime::commands
