#include "runtime/bench_chain.hpp"

#include <csignal>
#include <future>
#include <utility>

#include "model/checkpoint.hpp"

namespace corolla::runtime {

using std::chrono::steady_clock;

bench_chain::bench_chain(const bench_settings& settings, uint32_t hops) : settings_(settings), meeting_point_({}) {
  const auto blocks = model::num_blocks(*model::checkpoint::open(settings.model));
  for (uint32_t i = 0; i < hops; ++i) {
    const model::block_range part{blocks * i / hops, blocks * (i + 1) / hops};
    places_.push_back({part, start(part), nullptr});
  }
}

std::unique_ptr<bench_node> bench_chain::start(model::block_range blocks) const {
  bench_node_options options;
  options.model = settings_.model;
  options.blocks = blocks;
  options.threads = settings_.threads;
  options.peer = meeting_point_.address();
  return std::make_unique<bench_node>(options);
}

void bench_chain::add_substitute(size_t hop) {
  places_[hop].substitute = start(places_[hop].blocks);
}

void bench_chain::strike(size_t hop, int signal) {
  places_[hop].server->signal(signal);
}

void bench_chain::wait_for_end(size_t hop) const {
  places_[hop].server->wait();
}

void bench_chain::replace(size_t hop) {
  places_[hop].server = std::exchange(places_[hop].substitute, nullptr);
}

bench_struck generate_and_strike(
    client& through, bench_chain& chain, const model::generation_request& request, const bench_strike& how) {
  bench_struck done;
  std::future<steady_clock::time_point> gone;
  const auto on_token = [&](const model::generated_token& token) {
    done.margins.push_back(token.margin);
    done.token_times.push_back(steady_clock::now());
    const auto tokens = done.margins.size();
    if (tokens == how.at_token + 1) done.next_token = steady_clock::now();
    if (tokens == 1) chain.add_substitute(how.hop);
    if (tokens != how.at_token) return;
    if (how.signal == SIGKILL)
      gone = std::async(std::launch::async, [&] {
        chain.wait_for_end(how.hop);
        return steady_clock::now();
      });
    done.struck = steady_clock::now();
    chain.strike(how.hop, how.signal);
  };
  done.result = through.generate(request, on_token);
  if (gone.valid()) done.gone = gone.get();
  chain.replace(how.hop);
  return done;
}

}  // namespace corolla::runtime
