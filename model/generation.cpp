#include "model/generation.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace corolla::model {
namespace {

bool holds(const std::vector<int64_t>& ids, int64_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

generation_request checked(const ends& model_ends, bool has_text, generation_request request) {
  if (request.prompt.empty()) throw std::invalid_argument("the prompt is empty: generation needs at least one token");
  if (request.max_new_tokens == 0) throw std::invalid_argument("max_new_tokens is 0: ask for at least one token");
  for (auto id : request.prompt)
    if (id < 0 || id >= model_ends.vocab_size())
      throw std::invalid_argument(
          "id " + std::to_string(id) + " is outside the model's vocabulary of " +
          std::to_string(model_ends.vocab_size()));
  if (!has_text && !request.stop.empty())
    throw std::invalid_argument("stop strings need a tokenizer, and the model brings none: use stop ids");
  auto length = uint64_t{request.prompt.size()} + request.max_new_tokens - 1;
  if (length > model_ends.max_positions())
    throw std::invalid_argument(
        "prompt and new tokens need " + std::to_string(length) + " positions, and the model has " +
        std::to_string(model_ends.max_positions()));
  check(request.sampling);
  return request;
}

}  // namespace

generation::generation(const ends& model_ends, std::shared_ptr<const tokenizer> text, generation_request request)
    : ends_(model_ends),
      request_(checked(model_ends, text != nullptr, std::move(request))),
      sampler_(request_.sampling),
      stream_(text ? text->stream_decoder(/*skip_special=*/true) : nullptr),
      stops_(request_.stop),
      history_(request_.prompt) {}

uint32_t generation::max_length() const {
  return static_cast<uint32_t>(request_.prompt.size()) + request_.max_new_tokens - 1;
}

generation_input generation::first() const {
  auto T = static_cast<int64_t>(request_.prompt.size());
  return {0, ends_.embed(tensor::of<int64_t>({1, T}, request_.prompt))};
}

generated_token generation::take(const tensor& hidden) {
  if (finished_) throw std::logic_error("a token for a generation that has finished");
  auto logits = ends_.logits(hidden);
  auto chosen = sampler_.next(logits.as<float>(), history_);
  history_.push_back(chosen.id);
  ids_.push_back(chosen.id);
  generated_token token{chosen.id, chosen.margin, {}};
  bool ends_text = (!request_.ignore_eos && holds(ends_.eos_ids(), chosen.id)) || holds(request_.stop_ids, chosen.id);
  // An end-of-text token is no text, even where the vocabulary does not call it special.
  if (stream_ && !ends_text) token.text = stops_.push(stream_->push(chosen.id));
  finished_ = ends_text || stops_.stopped() || ids_.size() >= request_.max_new_tokens;
  if (finished_) token.text += rest();
  return token;
}

generation_input generation::next() const {
  if (finished_ || ids_.empty()) throw std::logic_error("nothing to run for this generation");
  std::array<int64_t, 1> id{ids_.back()};
  auto position = request_.prompt.size() + ids_.size() - 1;
  return {static_cast<uint32_t>(position), ends_.embed(tensor::of<int64_t>({1, 1}, id))};
}

std::string generation::rest() {
  if (!stream_ || stops_.stopped()) return {};
  auto text = stops_.push(stream_->finish());
  return stops_.stopped() ? text : text + stops_.finish();
}

}  // namespace corolla::model
