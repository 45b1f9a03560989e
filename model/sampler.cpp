#include "model/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace corolla::model {

namespace {

/// The best two of some logits.
struct leaders {
  size_t best = 0;
  float first = -std::numeric_limits<float>::infinity();
  float second = -std::numeric_limits<float>::infinity();
};

leaders find_leaders(std::span<const float> values) {
  leaders result;
  for (size_t i = 0; i < values.size(); ++i) {
    const float v = values[i];
    if (!std::isfinite(v)) throw std::invalid_argument("the logit of token " + std::to_string(i) + " is not finite");
    if (v > result.second) {
      if (v > result.first) {
        result.second = result.first;
        result.first = v;
        result.best = i;
      } else {
        result.second = v;
      }
    }
  }
  return result;
}

/// e^x for x <= 0, to a few units in the last place.  The C library's differs between machines in its last bit, and a
/// draw could then fall on another token; this is the same wherever doubles are IEEE 754 and products are not fused
/// with sums (the build sees to the latter).
double portable_exp(double x) {
  if (x < -700) return 0;
  constexpr double log2_e = 1.4426950408889634;
  constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  const double n = std::nearbyint(x * log2_e);
  const double r = (x - n * ln2_high) - n * ln2_low;  // in [-0.35, 0.35]
  // Taylor's series, 1/12! first; what is left out is below 1e-15 of the sum.
  constexpr double coefficients[] = {
      1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
      1.0 / 120,       1.0 / 24,       1.0 / 6,       1.0 / 2,      1.0,         1.0};
  double sum = 0;
  for (const double c : coefficients) sum = sum * r + c;
  return std::ldexp(sum, static_cast<int>(n));
}

bool heavier(const weighted_token& a, const weighted_token& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id > b.id;
}

/// The smallest set of the heaviest tokens whose probability reaches `top_p`.  Of equals the higher id stays: Hugging
/// Face removes from the bottom of a stable ascending sort.
void keep_top_p(std::vector<weighted_token>& tokens, double top_p) {
  double total = 0;
  for (const auto& t : tokens) total += t.weight;
  const auto lighter = [](const weighted_token& a, const weighted_token& b) { return heavier(b, a); };
  std::make_heap(tokens.begin(), tokens.end(), lighter);
  // The heaviest go to the back one by one, since few are kept as a rule.
  auto kept = tokens.end();
  for (double sum = 0; kept != tokens.begin() && sum < top_p * total; sum += kept->weight) {
    std::pop_heap(tokens.begin(), kept, lighter);
    --kept;
  }
  tokens.erase(tokens.begin(), kept);
}

}  // namespace

void check(const sampling_params& p) {
  if (!(p.temperature >= 0) || !std::isfinite(p.temperature))
    throw std::invalid_argument("temperature must be 0 or greater, and finite");
  if (p.top_k < 0) throw std::invalid_argument("top_k must be 0 (off) or greater");
  if (!(p.top_p > 0 && p.top_p <= 1)) throw std::invalid_argument("top_p must be greater than 0 and at most 1 (off)");
  if (!(p.repetition_penalty > 0) || !std::isfinite(p.repetition_penalty))
    throw std::invalid_argument("repetition_penalty must be greater than 0, and finite");
}

std::vector<weighted_token> distribution(std::span<const float> scores, const sampling_params& p) {
  float least = -std::numeric_limits<float>::infinity();
  const auto k = static_cast<size_t>(p.top_k);
  if (k > 0 && k < scores.size()) {
    std::vector<float> sorted(scores.begin(), scores.end());
    std::nth_element(sorted.begin(), sorted.begin() + (p.top_k - 1), sorted.end(), std::greater<>());
    least = sorted[k - 1];
  }
  const double best = *std::max_element(scores.begin(), scores.end());
  std::vector<weighted_token> tokens;
  tokens.reserve(least == -std::numeric_limits<float>::infinity() ? scores.size() : k);
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] < least)  // equals of the k-th stay
      continue;
    const auto weight = portable_exp((double{scores[i]} - best) / double{p.temperature});
    if (weight > 0) tokens.push_back({static_cast<int64_t>(i), weight});
  }
  if (p.top_p < 1) keep_top_p(tokens, p.top_p);
  return tokens;
}

sampler::sampler(const sampling_params& params) : params_(params), random_(params.seed) {
  check(params_);
}

choice sampler::next(std::span<const float> logits, std::span<const int64_t> history) {
  if (logits.empty()) throw std::invalid_argument("there are no logits to choose from");
  const auto raw = find_leaders(logits);
  const float margin = logits.size() > 1 ? raw.first - raw.second : std::numeric_limits<float>::max();
  const auto scores = penalised(logits, history);
  if (params_.temperature > 0) return {draw(scores), margin};
  const auto best = scores.data() == logits.data() ? raw.best : find_leaders(scores).best;
  return {static_cast<int64_t>(best), margin};
}

/// Hugging Face's rule: the penalty divides what is positive and multiplies what is negative, once for each id.
std::span<const float> sampler::penalised(std::span<const float> logits, std::span<const int64_t> history) {
  const float penalty = params_.repetition_penalty;
  if (penalty == 1) return logits;
  scores_.assign(logits.begin(), logits.end());
  for (const auto id : history) {
    if (id < 0 || id >= static_cast<int64_t>(logits.size())) continue;
    const auto i = static_cast<size_t>(id);
    const float score = logits[i] < 0 ? logits[i] * penalty : logits[i] / penalty;
    scores_[i] = std::clamp(score, std::numeric_limits<float>::lowest(), std::numeric_limits<float>::max());
  }
  return scores_;
}

int64_t sampler::draw(std::span<const float> scores) {
  const auto tokens = distribution(scores, params_);
  double total = 0;
  for (const auto& t : tokens) total += t.weight;
  // 53 random bits: std::uniform_real_distribution is not the same everywhere.
  double left = static_cast<double>(random_() >> 11) * 0x1p-53 * total;
  for (const auto& t : tokens) {
    left -= t.weight;
    if (left < 0) return t.id;
  }
  return tokens.back().id;
}

stop_matcher::stop_matcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  stops_.erase(std::remove(stops_.begin(), stops_.end(), std::string()), stops_.end());
}

std::string stop_matcher::push(std::string_view piece) {
  if (stopped_) return {};
  held_ += piece;
  auto stop_begin = std::string::npos, stop_end = std::string::npos;
  for (const auto& stop : stops_) {
    const auto begin = held_.find(stop);
    if (begin == std::string::npos) continue;
    const auto end = begin + stop.size();
    if (end < stop_end || (end == stop_end && begin < stop_begin)) {
      stop_begin = begin;
      stop_end = end;
    }
  }
  if (stop_end != std::string::npos) {
    stopped_ = true;
    held_.resize(stop_begin);
    return std::exchange(held_, {});
  }
  size_t hold = 0;  // the longest end of the text that begins a stop string
  for (const auto& stop : stops_)
    for (auto size = std::min(stop.size() - 1, held_.size()); size > hold; --size)
      if (held_.ends_with(std::string_view(stop).substr(0, size))) hold = size;
  auto shown = held_.substr(0, held_.size() - hold);
  held_.erase(0, shown.size());
  return shown;
}

std::string stop_matcher::finish() {
  return stopped_ ? std::string() : std::exchange(held_, {});
}

}  // namespace corolla::model
