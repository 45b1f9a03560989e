#include "runtime/node.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <iostream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <spdlog/spdlog.h>
#include <csignal>

#include "actors/block_actor.hpp"
#include "actors/dialer_actor.hpp"
#include "actors/directory_actor.hpp"
#include "actors/node_actor.hpp"
#include "model/span.hpp"
#include "runtime/errors.hpp"
#include "runtime/logging.hpp"
#include "runtime/node_config.hpp"
#include "runtime/printable.hpp"
#include "runtime/signals.hpp"
#include "runtime/swarm.hpp"

namespace corolla::runtime {
namespace {

using namespace actors;
using namespace std::chrono_literals;

constexpr auto start_timeout = 60s;
/// A node ends within 5 s of SIGINT; what is left by then is left to the kernel.
constexpr auto end_patience = 4500ms;
/// The same after draining, for which `node.drain_timeout` is 3 s unless set otherwise.
constexpr auto drained_patience = 1900ms;

/// SIGTERM while the model is still being read.
struct interrupted : std::exception {};

struct loaded_blocks {
  std::unique_ptr<model::span> span;
  served_blocks served;  // without the block actor
};

/// Tokens a second through the whole span, by the median of `steps` steps of so many tokens each: what the directory
/// tells clients.  0 where the cache is too small to try.
float measure_tokens_per_s(model::span& span, uint32_t tokens, uint32_t steps, const std::atomic<bool>& stop) {
  auto cache = span.reserve(span.blocks(), /*batch=*/1, tokens * steps);
  if (!cache) return 0;
  std::vector<float> values(static_cast<size_t>(tokens * span.hidden_size()), 0.01f);
  auto hidden = model::tensor::of<float>({1, tokens, span.hidden_size()}, values);
  std::vector<double> seconds;
  for (uint32_t i = 0; i < steps; ++i) {
    std::vector<model::span_step> step{{*cache, i * tokens, hidden, {}, model::dtype::float32}};
    auto begun = std::chrono::steady_clock::now();
    if (!span.run(step, stop).front().ok()) break;
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  }
  span.release(*cache);
  if (seconds.empty()) return 0;
  auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return static_cast<float>(tokens / *middle);
}

/// Kernels and dtype: "cpu-f32", "cuda-bf16".
std::string numerics_of(const node_options& options) {
  auto kernels = options.device.substr(0, options.device.find(':'));
  return kernels + (options.dtype == model::dtype::bfloat16 ? "-bf16" : "-f32");
}

loaded_blocks load(const node_options& options, const span_loader& load_span, const std::atomic<bool>& stop) {
  auto look_up = [&stop] {
    if (stop) throw interrupted{};
  };
  auto source = model::checkpoint::open(options.model);
  auto all = model::num_blocks(*source);
  auto blocks = options.blocks.value_or(model::block_range{0, all});
  if (blocks.empty() || blocks.end > all)
    throw std::runtime_error(
        "blocks " + to_string(blocks) + " were asked for, and " + source->name() +
        " has blocks 0:" + std::to_string(all));
  model::set_compute_threads(options.threads);
  loaded_blocks result;
  {
    progress_line progress{"digest of " + source->name()};
    result.served.digests = source->digests([&](uint64_t done, uint64_t total) {
      look_up();
      progress.show(done, total);
    });
  }
  {
    progress_line progress{"blocks " + to_string(blocks) + " of " + source->name()};
    model::span_options how{options.dtype, options.device, options.page_tokens, options.cache_tokens};
    result.span = load_span(*source, blocks, how, [&](uint32_t done, uint32_t total) {
      look_up();
      progress.show(done, total);
    });
  }
  auto& served = result.served;
  served.model_name = source->name();
  served.blocks = blocks;
  served.dtype = options.dtype;
  served.hidden_size = result.span->hidden_size();
  served.max_positions = result.span->max_positions();
  served.cache_tokens = result.span->cache_tokens();
  served.cache_bytes = static_cast<uint64_t>(result.span->cache_width()) * model::size_of(options.dtype);
  served.numerics = numerics_of(options);
  served.steps_per_s = measure_tokens_per_s(*result.span, /*tokens=*/1, /*steps=*/8, stop);
  look_up();
  auto prompt = std::min<uint64_t>({64, served.max_positions, served.cache_tokens});
  served.forward_per_s = measure_tokens_per_s(*result.span, static_cast<uint32_t>(prompt), /*steps=*/1, stop);
  look_up();
  return result;
}

/// Asks and waits; throws what the other said.
template <class Result, class Actor, class... Arguments>
Result ask(caf::scoped_actor& self, const Actor& whom, Arguments&&... arguments) {
  Result result;
  self->request(whom, start_timeout, std::forward<Arguments>(arguments)...)
      .receive(
          [&](Result& answer) { result = std::move(answer); },
          [](caf::error& reason) { throw std::runtime_error(describe(reason)); });
  return result;
}

/// Links to the given peers: one that answers suffices, the others are dialled again later.
void join(caf::scoped_actor& self, const node_actor& node, const std::vector<std::string>& peers) {
  std::string failures;
  size_t reached = 0;
  for (auto& text : peers) {
    auto address = crypto::address::parse(text);
    if (!address) throw std::runtime_error("\"" + text + "\" is no address of the form corolla://ID@HOST:PORT");
    try {
      ask<peer_actor>(self, node, connect_atom::value, *address);
      ++reached;
    } catch (const std::runtime_error& e) {
      failures += (failures.empty() ? "" : "; ") + text + ": " + e.what();
    }
    self->send(node, connect_atom::value, *address, std::chrono::milliseconds{1000});
  }
  if (reached == 0 && !peers.empty()) throw std::runtime_error("none of the given peers answered: " + failures);
}

/// Scripts take the ready line apart at its spaces.
std::string one_word(std::string text) {
  text = printable(std::move(text));
  std::replace(text.begin(), text.end(), ' ', '_');
  return text;
}

void print_ready(const crypto::address& address, const std::optional<served_blocks>& served) {
  std::cout << "ready " << address.to_string();
  if (served)
    std::cout << " model=" << one_word(served->model_name) << '@' << model::to_hex(served->digests.model, 6)
              << " blocks=" << to_string(served->blocks) << " dtype=" << model::to_string(served->dtype)
              << " cache_tokens=" << served->cache_tokens;
  else
    std::cout << " serve=false";
  std::cout << std::endl;
}

/// How the signal thread reaches a node that may not be there yet.
class ending {
 public:
  const std::shared_ptr<std::atomic<bool>>& flag() const { return flag_; }

  /// A node that drains goes on until its sessions have other servers.  True if it is there, and does.
  bool ask_for(bool drains) {
    std::lock_guard guard{mutex_};
    if (node_ && drains) {
      caf::anon_send(node_, drain_atom::value);
      return true;
    }
    *flag_ = true;
    if (node_) caf::anon_send(node_, stop_atom::value);
    return false;
  }
  /// A stop that was asked for before reaches the node now.
  void watch(const node_actor& node) {
    std::lock_guard guard{mutex_};
    node_ = node;
    if (*flag_) caf::anon_send(node_, stop_atom::value);
  }
  void forget() {
    std::lock_guard guard{mutex_};
    node_ = nullptr;
  }

 private:
  std::shared_ptr<std::atomic<bool>> flag_ = std::make_shared<std::atomic<bool>>(false);
  std::mutex mutex_;
  node_actor node_;
};

node_actor spawn(
    caf::actor_system& system, const node_options& options, std::optional<loaded_blocks>& loaded, ending& end) {
  auto membership = join_swarm(options.swarm, /*is_server=*/true);
  auto& link = membership.link;
  link.silence = options.liveness;
  if (loaded) {
    link.model_name = loaded->served.model_name;
    link.model = loaded->served.digests.model;
  }
  node_settings settings;
  settings.directory = spawn_directory(system, {membership.self});
  settings.link = std::make_shared<const wire::link_config>(std::move(link));
  settings.dialer = system.spawn<caf::detached>(dialer, settings.stops_dials);
  settings.software = software_name();
  if (loaded) {
    block_options compute;
    compute.queue.pass_rows = options.pass_rows;
    settings.served = loaded->served;
    // The node alone holds it: the thread of a detached actor ends with the last handle, and the system waits for that.
    settings.served->block = spawn_block(system, std::move(loaded->span), end.flag(), compute);
  }
  settings.max_sessions = options.max_sessions;
  settings.max_length = options.max_length;
  settings.max_batch = options.max_batch;
  settings.log_bytes = options.log_bytes;
  settings.max_alloc_timeout = options.max_alloc_timeout;
  settings.drain_timeout = options.drain_timeout;
  settings.left_behind = [](uint32_t sessions) {
    spdlog::warn("leaving, and no other server has taken {} of the sessions", sessions);
  };
  settings.stop = end.flag();
  return spawn_node(system, std::move(settings));
}

void get_ready(
    caf::scoped_actor& self, const node_actor& node, const node_options& options,
    const std::optional<served_blocks>& served) {
  auto address = ask<crypto::address>(self, node, listen_atom::value, options.host, options.port, options.announce);
  join(self, node, options.peers);
  if (served) ask<taken>(self, node, publish_atom::value, uint32_t{options.peers.empty() ? 0u : 1u});
  print_ready(address, served);
}

int serve(node_config& config, const span_loader& load_span, ending& end) {
  auto& options = config.options();
  std::optional<loaded_blocks> loaded;
  std::optional<served_blocks> served;
  if (options.serve) {
    loaded = load(options, load_span, *end.flag());
    served = loaded->served;
  }
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  auto node = spawn(system, options, loaded, end);
  self->monitor(node);
  end.watch(node);
  std::exception_ptr failure;
  try {
    get_ready(self, node, options, served);
  } catch (const std::exception&) {
    // What a stop cut short is no failure.
    if (!*end.flag()) failure = std::current_exception();
    end.ask_for(/*drains=*/false);
  }
  // It ends when a signal asks for it, and bounds its own end.
  self->receive([&](const caf::down_msg& down) {
    if (!failure && down.reason) failure = std::make_exception_ptr(std::runtime_error(sentence(down.reason)));
  });
  end.forget();
  *end.flag() = true;
  if (failure) std::rethrow_exception(failure);
  return exit_done;
}

}  // namespace

int run_node(node_config& config, const span_loader& load_span) {
  ending end;
  const auto drain_timeout = config.options().drain_timeout;
  signal_watch signals{[&end, drain_timeout](int signal) {
    return end.ask_for(/*drains=*/signal == SIGTERM) ? drain_timeout + drained_patience : end_patience;
  }};
  try {
    return serve(config, load_span, end);
  } catch (const interrupted&) {
    return exit_done;
  }
}

}  // namespace corolla::runtime
