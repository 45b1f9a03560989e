#include "runtime/local_client.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "model/checkpoint.hpp"
#include "model/ends.hpp"
#include "model/span.hpp"
#include "runtime/deep_prompts.hpp"

namespace corolla::runtime {
namespace {

using std::chrono::steady_clock;

/// Tokens of the cache.  Memory is taken as they are used, not before.
constexpr uint64_t cache_tokens = 1 << 16;

double seconds(steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// What ran and how long it took.
struct stopwatch {
  steady_clock::time_point begun = steady_clock::now();
  std::optional<steady_clock::time_point> first_token;
  steady_clock::time_point last_token;
  std::vector<double> decode_ms;

  void token() {
    last_token = steady_clock::now();
    if (!first_token) first_token = last_token;
  }
};

/// Positions of the cache for as long as it lives.
class reservation {
 public:
  /// `prompts`: deep prompts of all blocks of the span, or empty.
  reservation(
      model::span& span, model::block_range blocks, uint32_t batch, uint32_t max_length, const model::tensor& prompts)
      : span_(span) {
    const auto id = span.reserve(blocks, batch, max_length);
    if (!id)
      throw client_error(
          "the cache has room for " + std::to_string(span.free_tokens()) + " more tokens, and " +
          std::to_string(span.tokens_needed(batch, max_length)) + " are needed");
    id_ = *id;
    if (prompts.numel() == 0) return;
    const auto tokens = std::min<int64_t>(prompts.dim(1), max_length);
    span.set_prompts(id_, prompts.slice(0, blocks.begin, blocks.end).slice(1, 0, tokens));
  }
  ~reservation() { span_.release(id_); }
  reservation(const reservation&) = delete;
  reservation& operator=(const reservation&) = delete;

  model::cache_id id() const { return id_; }

 private:
  model::span& span_;
  model::cache_id id_ = 0;
};

class local_client : public client {
 public:
  local_client(const model::checkpoint& source, const client_options& options)
      : options_(options),
        ends_(model::ends::load(source, {options.compute, "cpu"})),
        span_(model::span::load(source, {0, ends_->num_blocks()}, span_options(options))),
        tokenizer_(model::load_tokenizer(source)) {
    check_deep_prompts(options.deep_prompts, *ends_);
  }

  std::shared_ptr<const model::tokenizer> tokenizer() const override { return tokenizer_; }

  generated generate(
      const model::generation_request& request, const std::function<void(const model::generated_token&)>& on_token,
      std::stop_token cancel, const std::function<void(const std::vector<route_hop>&)>&) override {
    stopwatch watch;
    model::generation text{*ends_, tokenizer_, request};
    generated result;
    const auto emit = [&](const model::generated_token& token) {
      result.text += token.text;
      if (on_token) on_token(token);
    };
    decode(text, watch, emit, cancel);
    result.ids = text.ids();
    if (watch.first_token) result.time_to_first_token_s = seconds(*watch.first_token - watch.begun);
    if (result.ids.size() > 1)
      result.tokens_per_s = static_cast<double>(result.ids.size() - 1) / seconds(watch.last_token - *watch.first_token);
    result.route.push_back({"local", 0, ends_->num_blocks(), median(std::move(watch.decode_ms))});
    return result;
  }

  evaluated evaluate(const model::tensor& input_ids, bool hidden) override {
    if (input_ids.type() != model::dtype::int64 || input_ids.rank() != 2 || input_ids.numel() == 0)
      throw client_error("input_ids is int64 [B, S] with at least one id");
    if (input_ids.dim(1) > ends_->max_positions())
      throw client_error(
          "a text of " + std::to_string(input_ids.dim(1)) + " tokens is beyond the model's " +
          std::to_string(ends_->max_positions()) + " positions");
    const std::lock_guard guard{compute_};
    evaluated result;
    auto x = ends_->embed(input_ids);
    if (hidden) result.embeddings = x;
    // One pass for each block shows what it puts out.
    const auto step = hidden ? 1u : ends_->num_blocks();
    for (uint32_t begin = 0; begin < ends_->num_blocks(); begin += step) {
      const reservation cache{*span_, {begin, begin + step}, to_u32(x.dim(0)), to_u32(x.dim(1)), options_.deep_prompts};
      x = run_in_chunks(cache, x);
      if (hidden) result.block_outputs.push_back(x);
    }
    if (hidden) result.final_norm = ends_->final_norm(x);
    result.logits = ends_->logits(x);
    return result;
  }

 private:
  static model::span_options span_options(const client_options& options) {
    model::span_options result;
    result.compute = options.compute;
    result.cache_tokens = cache_tokens;
    return result;
  }

  static uint32_t to_u32(int64_t value) { return static_cast<uint32_t>(value); }

  template <class Emit>
  void decode(model::generation& text, stopwatch& watch, const Emit& emit, const std::stop_token& cancel) {
    if (text.finished()) return;
    std::optional<reservation> cache;
    auto input = [&] {
      const std::lock_guard guard{compute_};
      cache.emplace(*span_, span_->blocks(), /*batch=*/1, text.max_length(), options_.deep_prompts);
      return text.first();
    }();
    for (auto is_prompt = true;; is_prompt = false) {
      const auto begun = steady_clock::now();
      const auto output = advance(*cache, input, cancel);
      if (!is_prompt) watch.decode_ms.push_back(1000 * seconds(steady_clock::now() - begun));
      std::unique_lock guard{compute_};
      const auto token = text.take(output);
      guard.unlock();
      watch.token();
      emit(token);
      if (text.finished()) break;
      guard.lock();
      input = text.next();
    }
    const std::lock_guard guard{compute_};
    cache.reset();
  }

  /// Runs the input in chunks; the last position's output.
  model::tensor advance(const reservation& cache, const model::generation_input& input, const std::stop_token& cancel) {
    const auto all = input.hidden.dim(1), chunk = chunk_of(all);
    model::tensor output;
    for (int64_t begin = 0; begin < all; begin += chunk) {
      if (cancel.stop_requested()) throw cancelled("interrupted");
      const std::lock_guard guard{compute_};
      output = run(cache, input.position + to_u32(begin), input.hidden.slice(1, begin, std::min(begin + chunk, all)));
    }
    return output.slice(1, output.dim(1) - 1, output.dim(1));
  }

  int64_t chunk_of(int64_t all) const { return options_.chunk_tokens == 0 ? all : int64_t{options_.chunk_tokens}; }

  /// All positions' outputs.  With `compute_` held.
  model::tensor run_in_chunks(const reservation& cache, const model::tensor& hidden) {
    const auto all = hidden.dim(1), chunk = chunk_of(all);
    std::vector<model::tensor> outputs;
    for (int64_t begin = 0; begin < all; begin += chunk)
      outputs.push_back(run(cache, to_u32(begin), hidden.slice(1, begin, std::min(begin + chunk, all))));
    return model::concat(outputs, /*axis=*/1);
  }

  /// With `compute_` held.
  model::tensor run(const reservation& cache, uint32_t position, model::tensor hidden) {
    const model::span_step step{cache.id(), position, std::move(hidden), {}, model::dtype::float32};
    auto result = std::move(span_->run({&step, 1}, never_).front());
    if (!result.ok()) throw client_error(result.error);
    return std::move(result.hidden);
  }

  const client_options options_;
  const std::unique_ptr<const model::ends> ends_;
  const std::unique_ptr<model::span> span_;
  const std::shared_ptr<const model::tokenizer> tokenizer_;
  const std::atomic<bool> never_ = false;
  /// Held for a step, so that texts generated side by side advance in turn.
  std::mutex compute_;
};

}  // namespace

std::unique_ptr<client> make_local_client(const client_options& options) {
  return std::make_unique<local_client>(*model::checkpoint::open(options.model), options);
}

}  // namespace corolla::runtime
