#include "model/ends.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include "model/convert.hpp"
#include "model/device.hpp"
#include "model/family.hpp"
#include "model/file_checkpoint.hpp"
#include "model/file_error.hpp"
#include "model/load_tokenizer.hpp"

namespace corolla::model {

namespace {

std::vector<int64_t> read_eos_ids(const checkpoint& source) {
  const auto has_ids = [](const nlohmann::json& config) {
    return config.is_object() && config.contains("eos_token_id") && !config["eos_token_id"].is_null();
  };
  const auto is_generation = has_ids(source.generation_config());
  const auto& config = is_generation ? source.generation_config() : source.config();
  if (!has_ids(config)) return {};
  const auto& field = config["eos_token_id"];
  const auto ids = field.is_array() ? field : nlohmann::json::array({field});
  const auto is_id = [](const nlohmann::json& id) { return id.is_number_integer(); };
  if (!std::all_of(ids.begin(), ids.end(), is_id)) {
    const auto file = is_generation ? source.path() / "generation_config.json" : config_file(source);
    fail(file.string(), "config field 'eos_token_id' is neither an integer nor a list of integers");
  }
  return ids.get<std::vector<int64_t>>();
}

std::unique_ptr<outer_layers> load_weights(
    const family& kind, const checkpoint& source, const ends_options& options, c10::Device device) {
  weight_memory memory;
  return kind.load_outer(weight_source(source, options.compute, device, memory));
}

class model_ends final : public ends {
 public:
  model_ends(std::unique_ptr<family> kind, const checkpoint& source, const ends_options& options, c10::Device device)
      : family_(std::move(kind)),
        compute_(options.compute),
        device_(device),
        layers_(load_weights(*family_, source, options, device)),
        eos_ids_(read_eos_ids(source)) {}

  int64_t hidden_size() const override { return family_->dims().hidden_size; }
  int64_t vocab_size() const override { return family_->dims().vocab_size; }
  uint32_t num_blocks() const override { return static_cast<uint32_t>(family_->dims().num_blocks); }
  uint32_t max_positions() const override { return family_->max_positions(); }
  const std::vector<int64_t>& eos_ids() const override { return eos_ids_; }

  tensor embed(const tensor& ids) const override {
    if (ids.type() != dtype::int64 || ids.rank() != 2) throw std::invalid_argument("ids must be int64 [B, T]");
    for (const auto id : ids.as<int64_t>())
      if (id < 0 || id >= vocab_size())
        throw std::invalid_argument(
            "id " + std::to_string(id) + " is not in the vocabulary of " + std::to_string(vocab_size()));
    const c10::InferenceMode guard;
    const auto rows = to_device(ids.reshaped({ids.numel()}), at::kLong, device_);
    return to_host(layers_->embed(rows).view({ids.dim(0), ids.dim(1), hidden_size()}), compute_);
  }

  tensor final_norm(const tensor& hidden) const override {
    const c10::InferenceMode guard;
    return to_host(layers_->final_norm(rows_of(hidden)).view(hidden.dims()), compute_);
  }

  tensor logits(const tensor& hidden) const override {
    const c10::InferenceMode guard;
    const auto scores = layers_->head(layers_->final_norm(rows_of(hidden)));
    return to_host(scores.view({hidden.dim(0), hidden.dim(1), vocab_size()}), dtype::float32);
  }

 private:
  /// [B, T, C] -> [B * T, C] on the device
  at::Tensor rows_of(const tensor& hidden) const {
    if (!is_float(hidden.type()) || hidden.rank() != 3 || hidden.dim(2) != hidden_size())
      throw std::invalid_argument(
          "the input must be a float tensor [B, T, " + std::to_string(hidden_size()) + "], not " +
          to_string(hidden.dims()));
    return to_device(hidden.reshaped({hidden.dim(0) * hidden.dim(1), hidden_size()}), scalar_type(compute_), device_);
  }

  std::unique_ptr<family> family_;
  dtype compute_;
  c10::Device device_;
  std::unique_ptr<outer_layers> layers_;
  std::vector<int64_t> eos_ids_;
};

}  // namespace

std::unique_ptr<ends> ends::load(const checkpoint& source, const ends_options& options) {
  if (options.compute != dtype::float32 && options.compute != dtype::bfloat16)
    throw std::invalid_argument(
        "ends compute in float32 or bfloat16, not in " + std::string(to_string(options.compute)));
  auto kind = read_family(source);
  const auto device = open_device(options.device);
  const c10::InferenceMode guard;
  try {
    return std::make_unique<model_ends>(std::move(kind), source, options, device);
  } catch (const c10::Error& e) {
    throw std::runtime_error(e.what_without_backtrace());
  }
}

std::shared_ptr<const tokenizer> load_tokenizer(const checkpoint& source) {
  return load_tokenizer(source.tokenizer(), source.path());
}

}  // namespace corolla::model
