// A span that computes exactly, on small integers: every output depends on all rows before it, so that a lost, doubled,
// reordered or misplaced row shows.  Chains as blocks do: blocks 0:4 and then 4:8 give what 0:8 gives.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "model/span.hpp"

namespace corolla::tests {

class fake_span final : public model::span {
 public:
  /// Shared with the test, as the span itself moves into its actor.
  struct controls {
    std::vector<std::vector<model::cache_id>> passes;  ///< the sessions of each
    std::function<void()> between_blocks;
    std::string next_failure;              ///< thrown by the next pass, if not empty
    bool always_fails = false;             ///< every pass throws
    std::vector<model::cache_id> failing;  ///< whose steps fail alone
    bool poisons_next = false;             ///< what the next pass computes is no number
    uint64_t used_tokens = 0;
    uint64_t reservations = 0;  ///< ever given
    bool destroyed = false;
  };

  fake_span(model::block_range blocks, int64_t hidden_size, uint64_t cache_tokens, std::shared_ptr<controls> c)
      : blocks_(blocks), hidden_size_(hidden_size), cache_tokens_(cache_tokens), controls_(std::move(c)) {}
  ~fake_span() override { controls_->destroyed = true; }

  model::block_range blocks() const override { return blocks_; }
  int64_t hidden_size() const override { return hidden_size_; }
  uint32_t max_positions() const override { return 1000; }
  uint64_t tokens_needed(uint32_t batch, uint32_t max_length) const override { return uint64_t{batch} * max_length; }
  uint64_t cache_tokens() const override { return cache_tokens_; }
  uint64_t free_tokens() const override { return cache_tokens_ - controls_->used_tokens; }

  std::optional<model::cache_id> reserve(model::block_range part, uint32_t batch, uint32_t max_length) override {
    if (tokens_needed(batch, max_length) > free_tokens()) return std::nullopt;
    controls_->used_tokens += tokens_needed(batch, max_length);
    ++controls_->reservations;
    auto id = next_id_++;
    sessions_[id] = {part, batch, max_length, std::vector<row_history>(batch)};
    return id;
  }
  void release(model::cache_id id) override {
    const auto& s = sessions_.at(id);
    controls_->used_tokens -= tokens_needed(s.batch, s.max_length);
    sessions_.erase(id);
  }

  void set_prompts(model::cache_id id, const model::tensor& prompts) override {
    auto& s = sessions_.at(id);
    if (prompts.rank() != 3 || prompts.dim(0) != s.part.size() || prompts.dim(2) != hidden_size_)
      throw std::invalid_argument("prompts that do not fit");
    s.prompts = prompts;
  }

  std::vector<model::span_result> run(std::span<const model::span_step> steps, const std::atomic<bool>& stop) override {
    auto& pass = controls_->passes.emplace_back();
    for (const auto& step : steps) pass.push_back(step.cache);
    if (controls_->always_fails) {
      if (controls_->between_blocks) controls_->between_blocks();
      throw std::runtime_error("made to fail");
    }
    if (!controls_->next_failure.empty()) throw std::runtime_error(std::exchange(controls_->next_failure, {}));
    std::vector<model::span_result> results;
    for (const auto& step : steps) results.push_back(run_one(step, stop));
    if (std::exchange(controls_->poisons_next, false))
      for (auto& result : results) {
        const std::vector<float> none(result.hidden.numel(), std::numeric_limits<float>::quiet_NaN());
        result.hidden = model::tensor::of<float>(result.hidden.dims(), none).to(result.hidden.type());
      }
    return results;
  }

  /// Of a token in one block: its state after it.
  static constexpr uint64_t cache_bytes = sizeof(float);
  int64_t cache_width() const override { return 1; }
  model::tensor read_cache(model::cache_id id, uint32_t block, uint32_t position, uint32_t tokens) const override {
    const auto& s = sessions_.at(id);
    std::vector<float> states;
    for (const auto& row : s.rows)
      for (uint32_t t = 0; t < tokens; ++t) states.push_back(static_cast<float>(row.at(block).at(position + t)));
    return model::tensor::of<float>({s.batch, tokens, 1}, states);
  }
  void write_cache(model::cache_id id, uint32_t block, uint32_t position, const model::tensor& rows) override {
    auto& s = sessions_.at(id);
    const auto values = rows.as<float>();
    const auto tokens = static_cast<size_t>(rows.dim(1));
    if (rows.rank() != 3 || rows.dim(0) != s.batch || rows.dim(2) != 1 || position > s.length(block))
      throw std::invalid_argument("rows that do not fit");
    if (!model::all_finite(rows)) throw std::invalid_argument("not finite");
    for (uint32_t b = 0; b < s.batch; ++b) {
      auto& states = s.rows[b][block];
      states.resize(position);
      for (size_t t = 0; t < tokens; ++t) states.push_back(static_cast<uint32_t>(values[b * tokens + t]));
    }
  }

 private:
  using history = std::vector<uint32_t>;            // of one block and row: its state after each token
  using row_history = std::map<uint32_t, history>;  // by block

  struct session {
    model::block_range part;
    uint32_t batch = 0;
    uint32_t max_length = 0;
    std::vector<row_history> rows;
    model::tensor prompts{};  // [blocks of the part, P, C], or empty
    size_t length(uint32_t block) { return rows.front()[block].size(); }
  };

  model::span_result run_one(const model::span_step& step, const std::atomic<bool>& stop) {
    auto& s = sessions_.at(step.cache);
    const auto& failing = controls_->failing;
    if (std::find(failing.begin(), failing.end(), step.cache) != failing.end()) return {{}, "made to fail"};
    if (!model::all_finite(step.hidden)) return {{}, "not finite"};
    if (step.position > s.length(s.part.begin)) return {{}, "position beyond the cache"};
    reorder(s, step.hypo_ids);
    auto x = step.hidden.to(model::dtype::float32);
    std::vector<float> values(x.as<float>().begin(), x.as<float>().end());
    const auto tokens = step.hidden.dim(1);
    for (auto block = s.part.begin; block < s.part.end; ++block) {
      if (controls_->between_blocks) controls_->between_blocks();
      if (stop) return {{}, "stopped"};
      for (uint32_t b = 0; b < s.batch; ++b) {
        auto& states = s.rows[b][block];
        states.resize(step.position);
        for (int64_t t = 0; t < tokens; ++t) {
          auto* row = &values[(b * tokens + t) * hidden_size_];
          add_prompt(row, s, block, step.position + t);
          states.push_back(advance(row, block, states.empty() ? 0 : states.back()));
        }
      }
    }
    return {model::tensor::of<float>(step.hidden.dims(), values).to(step.output), {}};
  }

  void add_prompt(float* row, const session& s, uint32_t block, int64_t position) const {
    if (s.prompts.rank() != 3 || position >= s.prompts.dim(1)) return;
    const auto* prompt = &s.prompts.as<float>()[((block - s.part.begin) * s.prompts.dim(1) + position) * hidden_size_];
    for (int64_t c = 0; c < hidden_size_; ++c) row[c] += prompt[c];
  }

  // One token through one block.  Outputs are below 251, so that bfloat16 holds them exactly.
  uint32_t advance(float* row, uint32_t block, uint32_t before) const {
    uint32_t state = before * 33 + block + 1;
    for (int64_t c = 0; c < hidden_size_; ++c)
      state += static_cast<uint32_t>(std::lround(row[c])) * static_cast<uint32_t>(c + 1);
    state %= 65521;
    for (int64_t c = 0; c < hidden_size_; ++c)
      row[c] = static_cast<float>((static_cast<uint32_t>(std::lround(row[c])) * 3 + state + c + block) % 251);
    return state;
  }

  static void reorder(session& s, const std::vector<uint32_t>& order) {
    if (order.empty()) return;
    auto before = s.rows;
    for (size_t i = 0; i < order.size(); ++i) s.rows[i] = before[order[i]];
  }

  model::block_range blocks_;
  int64_t hidden_size_;
  uint64_t cache_tokens_;
  std::shared_ptr<controls> controls_;
  std::map<model::cache_id, session> sessions_;
  model::cache_id next_id_ = 1;
};

}  // namespace corolla::tests
