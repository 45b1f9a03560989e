// `corolla node` of which a test decides how well it computes: after SIGUSR1 its next pass fails, and each takes at
// least PASS_MS milliseconds where the environment says so.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>

#include "model/span.hpp"
#include "runtime/logging.hpp"
#include "runtime/node.hpp"
#include "runtime/node_config.hpp"

namespace corolla::tests {
namespace {

using std::chrono::milliseconds;

std::atomic<bool> next_pass_fails{false};

class odd_span final : public model::span {
 public:
  odd_span(std::unique_ptr<model::span> real, milliseconds pass) : real_(std::move(real)), pass_(pass) {}

  std::vector<model::span_result> run(std::span<const model::span_step> steps, const std::atomic<bool>& stop) override {
    const auto end = std::chrono::steady_clock::now() + pass_;
    if (next_pass_fails.exchange(false)) throw std::runtime_error("made to fail");
    auto results = real_->run(steps, stop);
    std::this_thread::sleep_until(end);
    return results;
  }

  model::block_range blocks() const override { return real_->blocks(); }
  int64_t hidden_size() const override { return real_->hidden_size(); }
  uint32_t max_positions() const override { return real_->max_positions(); }
  std::optional<model::cache_id> reserve(model::block_range part, uint32_t batch, uint32_t max_length) override {
    return real_->reserve(part, batch, max_length);
  }
  void release(model::cache_id id) override { real_->release(id); }
  uint64_t tokens_needed(uint32_t batch, uint32_t max_length) const override {
    return real_->tokens_needed(batch, max_length);
  }
  uint64_t cache_tokens() const override { return real_->cache_tokens(); }
  uint64_t free_tokens() const override { return real_->free_tokens(); }
  void set_prompts(model::cache_id id, const model::tensor& prompts) override { real_->set_prompts(id, prompts); }
  model::tensor read_cache(model::cache_id id, uint32_t block, uint32_t position, uint32_t tokens) const override {
    return real_->read_cache(id, block, position, tokens);
  }
  void write_cache(model::cache_id id, uint32_t block, uint32_t position, const model::tensor& rows) override {
    real_->write_cache(id, block, position, rows);
  }
  int64_t cache_width() const override { return real_->cache_width(); }

 private:
  std::unique_ptr<model::span> real_;
  milliseconds pass_;
};

/// Whoever sent the signal waits for the line.  To be called before there are other threads.
void heed_signal() {
  static sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread{[] {
    for (int signal = 0; sigwait(&signals, &signal) == 0;) {
      next_pass_fails = true;
      std::cout << "the next pass fails" << std::endl;
    }
  }}.detach();
}

int run(const std::vector<std::string>& options) {
  runtime::node_config config;
  if (config.read(options) != runtime::node_config::request::run) return 2;
  runtime::start_logging(config.options().log);
  const auto* pass = std::getenv("PASS_MS");
  const milliseconds least{pass == nullptr ? 0 : std::stoi(pass)};
  return runtime::run_node(config, [least](auto&&... all) {
    return std::make_unique<odd_span>(model::span::load(std::forward<decltype(all)>(all)...), least);
  });
}

}  // namespace
}  // namespace corolla::tests

/// As `corolla`, of which `node` is the only command.
int main(int argc, char** argv) {
  try {
    corolla::tests::heed_signal();
    return corolla::tests::run({argv + std::min(argc, 2), argv + argc});
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
