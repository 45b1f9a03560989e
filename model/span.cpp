#include "model/span.hpp"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include "model/convert.hpp"
#include "model/device.hpp"
#include "model/family.hpp"

namespace corolla::model {

namespace {

constexpr uint32_t max_page_tokens = 1 << 16;

/// libtorch's own errors carry a stack trace in what().
std::string message_of(const std::exception& e) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&e);
  return torch_error ? torch_error->what_without_backtrace() : e.what();
}

/// Why `step` does not fit its session's shape and place, or nothing.
std::string refuse_shape(const span_step& step, const kv_cache::session& s, int64_t C) {
  const auto& dims = step.hidden.dims();
  if (!is_float(step.hidden.type()) || !is_float(step.output)) return "input and output must be float types";
  if (dims.size() != 3 || dims[0] != s.batch || dims[2] != C)
    return "the input has shape " + to_string(dims) + ", but the session takes [" + std::to_string(s.batch) + ", T, " +
           std::to_string(C) + "]";
  const auto is_row = [&](uint32_t row) { return row < s.batch; };
  if (!step.hypo_ids.empty() && (static_cast<int64_t>(step.hypo_ids.size()) != s.batch ||
                                 !std::all_of(step.hypo_ids.begin(), step.hypo_ids.end(), is_row)))
    return "hypo_ids must be one row of the batch for each of its " + std::to_string(s.batch) + " rows";
  if (step.position > s.length)
    return "position " + std::to_string(step.position) + " is beyond the session's " + std::to_string(s.length) +
           " tokens";
  if (dims[1] > s.max_length - step.position)
    return std::to_string(dims[1]) + " tokens at position " + std::to_string(step.position) +
           " are beyond the session's max_length " + std::to_string(s.max_length);
  return {};
}

/// The steps that are computed together.
struct admitted_steps {
  std::vector<size_t> indices;
  std::vector<kv_cache::session*> sessions;
  std::vector<at::Tensor> rows;     // [B * T, C] each
  std::vector<at::Tensor> prompts;  // [blocks, P, C] each; undefined: none
  ragged_pass pass;
  std::optional<block_range> blocks;
  std::unordered_set<cache_id> seen;
};

class block_span final : public span {
 public:
  block_span(std::unique_ptr<family> kind, block_range blocks, const span_options& options, c10::Device device)
      : family_(std::move(kind)),
        blocks_(blocks),
        compute_(options.compute),
        device_(device),
        cache_(
            cache_layout(*family_, blocks, options), at::TensorOptions(scalar_type(options.compute)).device(device)) {}

  void load_weights(const checkpoint& source, const std::function<void(uint32_t, uint32_t)>& progress) {
    weight_memory memory;
    for (auto index = blocks_.begin; index < blocks_.end; ++index) {
      layers_.push_back(family_->load_block(weight_source(source, compute_, device_, memory), index));
      if (progress) progress(static_cast<uint32_t>(layers_.size()), blocks_.size());
    }
  }

  block_range blocks() const override { return blocks_; }
  int64_t hidden_size() const override { return family_->dims().hidden_size; }
  uint32_t max_positions() const override { return family_->max_positions(); }

  std::optional<cache_id> reserve(block_range part, uint32_t batch, uint32_t max_length) override;
  void release(cache_id id) override {
    cache_.release(id);
    parts_.erase(id);
    prompts_.erase(id);
  }
  uint64_t tokens_needed(uint32_t batch, uint32_t max_length) const override {
    return cache_.tokens_needed(batch, max_length);
  }
  uint64_t cache_tokens() const override { return static_cast<uint64_t>(cache_.num_tokens()); }
  uint64_t free_tokens() const override { return static_cast<uint64_t>(cache_.free_tokens()); }

  void set_prompts(cache_id id, const tensor& prompts) override;
  std::vector<span_result> run(std::span<const span_step> steps, const std::atomic<bool>& stop) override;

  tensor read_cache(cache_id id, uint32_t block, uint32_t position, uint32_t tokens) const override;
  void write_cache(cache_id id, uint32_t block, uint32_t position, const tensor& rows) override;
  int64_t cache_width() const override { return 2 * family_->dims().num_key_value_heads * family_->dims().head_dim; }

 private:
  /// The session, if its part has the block.
  const kv_cache::session& holder_of(cache_id id, uint32_t block) const;

  static kv_cache::layout cache_layout(const family& kind, block_range blocks, const span_options& options);

  /// Truncates and reorders the session and takes the rows in; gives why it cannot, or nothing.
  std::string admit(const span_step& step, size_t index, admitted_steps& work);
  /// Adds to what goes into a block the prompts of the positions that have one.
  at::Tensor add_prompts(at::Tensor hidden, const admitted_steps& work, uint32_t block) const;
  /// [R, C] -> [R, C]; nullopt: stopped.
  std::optional<at::Tensor> run_blocks(admitted_steps& work, const std::atomic<bool>& stop);
  void run_admitted(
      std::span<const span_step> steps, admitted_steps& work, const std::atomic<bool>& stop,
      std::vector<span_result>& results);

  std::unique_ptr<family> family_;
  block_range blocks_;
  dtype compute_;
  c10::Device device_;
  kv_cache cache_;
  std::vector<std::unique_ptr<block>> layers_;
  std::unordered_map<cache_id, block_range> parts_;
  std::unordered_map<cache_id, at::Tensor> prompts_;  // [blocks of the part, P, C]
};

kv_cache::layout block_span::cache_layout(const family& kind, block_range blocks, const span_options& options) {
  const auto pages = (options.cache_tokens + options.page_tokens - 1) / options.page_tokens;
  const auto& dims = kind.dims();
  const kv_cache::layout layout{
      blocks.size(), static_cast<int64_t>(pages), options.page_tokens, dims.num_key_value_heads, dims.head_dim};
  const int64_t pool[] = {layout.num_pages, layout.page_tokens, layout.num_heads, layout.head_dim};
  if (!num_elements(pool))
    throw std::invalid_argument("a cache of " + std::to_string(options.cache_tokens) + " tokens is too large");
  return layout;
}

std::optional<cache_id> block_span::reserve(block_range part, uint32_t batch, uint32_t max_length) {
  if (part.empty() || !blocks_.contains(part))
    throw std::invalid_argument("blocks " + to_string(part) + " are not within " + to_string(blocks_));
  if (batch == 0 || max_length == 0) throw std::invalid_argument("a session needs at least one row and one token");
  if (const auto refusal = family_->refuse_length(max_length); !refusal.empty()) throw std::invalid_argument(refusal);
  const c10::InferenceMode guard;
  const auto id = cache_.reserve(batch, max_length);
  if (id) parts_.emplace(*id, part);
  return id;
}

std::string block_span::admit(const span_step& step, size_t index, admitted_steps& work) {
  auto* session = cache_.find(step.cache);
  if (!session) return "there is no such session";
  if (!work.seen.insert(step.cache).second) return "the session has another step in this pass";
  const auto part = parts_.at(step.cache);
  if (work.blocks.value_or(part) != part) return "the session's blocks are not those of the other steps";
  auto refusal = refuse_shape(step, *session, hidden_size());
  if (!refusal.empty()) return refusal;
  // Converted first: what float32 holds may be infinite in bfloat16.
  const auto hidden = step.hidden.to(compute_);
  if (!all_finite(hidden)) return "the input holds a value that is not finite";

  if (!step.hypo_ids.empty() && step.position > 0) cache_.reorder(*session, step.hypo_ids, step.position);
  session->length = step.position;
  work.blocks = part;
  const auto B = hidden.dim(0), T = hidden.dim(1);
  if (T == 0) return {};
  auto& parts = work.pass.parts;
  const auto row = parts.empty() ? 0 : parts.back().row + parts.back().num_rows();
  parts.push_back({session, row, B, T, step.position, {}});
  work.indices.push_back(index);
  work.sessions.push_back(session);
  const auto prompts = prompts_.find(step.cache);
  work.prompts.push_back(prompts == prompts_.end() ? at::Tensor{} : prompts->second);
  work.rows.push_back(to_device(hidden.reshaped({B * T, hidden_size()}), scalar_type(compute_), device_));
  return {};
}

at::Tensor block_span::add_prompts(at::Tensor hidden, const admitted_steps& work, uint32_t block) const {
  bool is_own = false;
  for (size_t i = 0; i < work.prompts.size(); ++i) {
    if (!work.prompts[i].defined()) continue;
    const auto& part = work.pass.parts[i];
    const auto count = std::min<int64_t>(part.T, work.prompts[i].size(1) - part.position);
    if (count <= 0) continue;
    // It may be the step's own tensor, which others read.
    if (!std::exchange(is_own, true)) hidden = hidden.clone();
    hidden.narrow(0, part.row, part.num_rows())
        .view({part.B, part.T, hidden_size()})
        .narrow(1, 0, count)
        .add_(work.prompts[i].select(0, block - work.blocks->begin).narrow(0, part.position, count));
  }
  return hidden;
}

std::optional<at::Tensor> block_span::run_blocks(admitted_steps& work, const std::atomic<bool>& stop) {
  family_->prepare(work.pass, device_);
  auto hidden = work.rows.size() == 1 ? work.rows.front() : at::cat(work.rows);
  for (auto index = work.blocks->begin; index < work.blocks->end; ++index) {
    if (stop) return std::nullopt;
    const auto layer = index - blocks_.begin;
    hidden = layers_[layer]->forward(add_prompts(std::move(hidden), work, index), work.pass, cache_, layer);
  }
  return hidden;
}

void block_span::run_admitted(
    std::span<const span_step> steps, admitted_steps& work, const std::atomic<bool>& stop,
    std::vector<span_result>& results) {
  const auto hidden = run_blocks(work, stop);
  for (size_t i = 0; i < work.indices.size(); ++i) {
    auto& result = results[work.indices[i]];
    if (!hidden) {
      result.error = "stopped";
      continue;
    }
    const auto& part = work.pass.parts[i];
    auto rows = hidden->narrow(0, part.row, part.num_rows()).view({part.B, part.T, hidden_size()});
    // A share of the pass would keep the rows of every session alive.
    if (work.indices.size() > 1) rows = rows.clone();
    result.hidden = to_host(rows, steps[work.indices[i]].output);
    work.sessions[i]->length = part.S();
  }
}

std::vector<span_result> block_span::run(std::span<const span_step> steps, const std::atomic<bool>& stop) {
  const c10::InferenceMode guard;
  std::vector<span_result> results(steps.size());
  admitted_steps work;
  for (size_t i = 0; i < steps.size(); ++i) {
    try {
      results[i].error = admit(steps[i], i, work);
      if (results[i].ok()) results[i].hidden = tensor(steps[i].output, {steps[i].hidden.dim(0), 0, hidden_size()}, {});
    } catch (const std::exception& e) {
      results[i].error = message_of(e);
    }
  }
  if (work.indices.empty()) return results;
  try {
    run_admitted(steps, work, stop, results);
  } catch (const std::exception& e) {
    for (const auto i : work.indices) results[i] = {{}, message_of(e)};
  }
  return results;
}

void block_span::set_prompts(cache_id id, const tensor& prompts) {
  const c10::InferenceMode guard;
  const auto* session = cache_.find(id);
  if (!session) throw std::invalid_argument("there is no such session");
  const auto part = parts_.at(id);
  const auto& dims = prompts.dims();
  if (!is_float(prompts.type()) || dims.size() != 3 || dims[0] != part.size() || dims[1] > session->max_length ||
      dims[2] != hidden_size())
    throw std::invalid_argument(
        "prompts are " + std::string(to_string(prompts.type())) + " of shape " + to_string(dims) +
        ", but the session takes floats of [" + std::to_string(part.size()) + ", P, " + std::to_string(hidden_size()) +
        "] with P up to " + std::to_string(session->max_length));
  // Converted first: what float32 holds may be infinite in bfloat16.
  const auto converted = prompts.to(compute_);
  if (!all_finite(converted)) throw std::invalid_argument("a value is not a finite number");
  prompts_[id] = to_device(converted, scalar_type(compute_), device_);
}

const kv_cache::session& block_span::holder_of(cache_id id, uint32_t block) const {
  const auto* session = cache_.find(id);
  if (!session || !parts_.at(id).contains({block, block + 1}))
    throw std::invalid_argument("the session does not hold block " + std::to_string(block));
  return *session;
}

tensor block_span::read_cache(cache_id id, uint32_t block, uint32_t position, uint32_t tokens) const {
  const c10::InferenceMode guard;
  const auto& session = holder_of(id, block);
  if (int64_t{position} + tokens > session.length)
    throw std::invalid_argument(
        "positions up to " + std::to_string(uint64_t{position} + tokens) + " of a session that is at " +
        std::to_string(session.length));
  const auto rows = cache_.copy(block - blocks_.begin, session, position, tokens);
  return to_host(rows.view({session.batch, tokens, cache_width()}), compute_);
}

void block_span::write_cache(cache_id id, uint32_t block, uint32_t position, const tensor& rows) {
  const c10::InferenceMode guard;
  const auto& held = holder_of(id, block);
  const auto& dims = rows.dims();
  if (rows.type() != compute_ || dims.size() != 3 || dims[0] != held.batch || dims[2] != cache_width())
    throw std::invalid_argument(
        "keys and values are " + std::string(to_string(rows.type())) + " of shape " + to_string(dims) +
        ", but the session takes " + std::string(to_string(compute_)) + " of [" + std::to_string(held.batch) + ", T, " +
        std::to_string(cache_width()) + "]");
  if (position > held.length || dims[1] > held.max_length - position)
    throw std::invalid_argument(
        std::to_string(dims[1]) + " tokens at position " + std::to_string(position) + " of a session that is at " +
        std::to_string(held.length) + " of " + std::to_string(held.max_length));
  if (!all_finite(rows)) throw std::invalid_argument("a key or value is not a finite number");
  const auto& shape = family_->dims();
  const auto both = to_device(rows, scalar_type(compute_), device_)
                        .view({held.batch, dims[1], 2, shape.num_key_value_heads, shape.head_dim});
  auto& session = *cache_.find(id);
  cache_.write(block - blocks_.begin, session, position, both.select(2, 0), both.select(2, 1));
  if (block + 1 == parts_.at(id).end) session.length = position + dims[1];
}

}  // namespace

std::unique_ptr<span> span::load(
    const checkpoint& source, block_range blocks, const span_options& options,
    const std::function<void(uint32_t, uint32_t)>& progress) {
  if (options.compute != dtype::float32 && options.compute != dtype::bfloat16)
    throw std::invalid_argument(
        "blocks compute in float32 or bfloat16, not in " + std::string(to_string(options.compute)));
  if (options.page_tokens == 0 || options.page_tokens > max_page_tokens)
    throw std::invalid_argument("page_tokens must be from 1 to " + std::to_string(max_page_tokens));
  constexpr uint64_t max_cache_tokens = uint64_t{1} << 40;
  if (options.cache_tokens == 0 || options.cache_tokens > max_cache_tokens)
    throw std::invalid_argument("cache_tokens must be from 1 to " + std::to_string(max_cache_tokens));
  auto kind = read_family(source);
  const auto num_blocks = static_cast<uint32_t>(kind->dims().num_blocks);
  if (blocks.empty() || blocks.end > num_blocks)
    throw std::invalid_argument(
        "blocks " + to_string(blocks) + " are not within the model's " + to_string(block_range{0, num_blocks}));
  const auto device = open_device(options.device);
  const c10::InferenceMode guard;
  try {
    auto loaded = std::make_unique<block_span>(std::move(kind), blocks, options, device);
    loaded->load_weights(source, progress);
    return loaded;
  } catch (const c10::Error& e) {
    throw std::runtime_error(message_of(e));
  }
}

void set_compute_threads(uint32_t threads) {
  constexpr uint32_t max_threads = 1024;
  if (threads == 0 || threads > max_threads)
    throw std::invalid_argument("compute threads must be from 1 to " + std::to_string(max_threads));
  at::set_num_threads(static_cast<int>(threads));
}

}  // namespace corolla::model
