#include "model/make_model.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <system_error>

#include "model/atomic_file.hpp"
#include "model/convert.hpp"
#include "model/made_tokenizer.hpp"
#include "model/model_plan.hpp"
#include "model/safetensors_writer.hpp"

namespace corolla::model {

namespace {

namespace fs = std::filesystem;
constexpr size_t chunk = 1u << 16;

/// FNV-1a: a tensor's values depend on its name, not on what was made before it.
uint64_t hash(std::string_view text, uint64_t seed) {
  auto h = 0xcbf29ce484222325 ^ seed;
  for (const unsigned char c : text) h = (h ^ c) * 0x100000001b3;
  return h;
}

/// SplitMix64: number `index` of a sequence, which needs no number before it.
uint64_t random_bits(uint64_t sequence, uint64_t index) {
  auto z = sequence + (index + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// Close to a standard normal number, and much faster: the sum of four uniform ones of 16 bits (no tail beyond 3.5).
float nearly_normal(uint64_t bits) {
  const auto sum = static_cast<int32_t>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
  constexpr float mean = 2 * 65535.0f, scale = 1.7320508f / 65536.0f;
  return (static_cast<float>(sum) - mean) * scale;
}

class weight_writer {
 public:
  weight_writer(const fs::path& path, const model_plan& plan, uint64_t seed)
      : plan_(plan), seed_(seed), file_(path, items(plan)) {
    for (const auto& t : plan.tensors) all_ += bytes_of(t);
  }

  void write(const std::function<void(uint64_t, uint64_t)>& progress) {
    for (const auto& t : plan_.tensors) {
      const auto sequence = hash(t.name, seed_);
      const auto count = bytes_of(t) / size_of(plan_.type);
      for (size_t at = 0; at < count; at += chunk) {
        write_chunk(t, sequence, at, std::min(chunk, count - at));
        if (progress) progress(done_, all_);
      }
    }
    file_.commit();
  }

 private:
  static std::vector<safetensors_item> items(const model_plan& plan) {
    std::vector<safetensors_item> result;
    for (const auto& t : plan.tensors) result.push_back({t.name, plan.type, t.dims});
    return result;
  }
  size_t bytes_of(const planned_tensor& t) const {
    return static_cast<size_t>(num_elements(t.dims).value()) * size_of(plan_.type);
  }
  void write_chunk(const planned_tensor& t, uint64_t sequence, size_t at, size_t count) {
    for (size_t i = 0; i < count; ++i) values_[i] = t.mean + t.deviation * nearly_normal(random_bits(sequence, at + i));
    const auto bytes = count * size_of(plan_.type);
    convert(dtype::float32, reinterpret_cast<const std::byte*>(values_.data()), plan_.type, converted_.data(), count);
    file_.write({converted_.data(), bytes});
    done_ += bytes;
  }

  const model_plan& plan_;
  const uint64_t seed_;
  safetensors_writer file_;
  uint64_t done_ = 0, all_ = 0;
  std::vector<float> values_ = std::vector<float>(chunk);
  std::vector<std::byte> converted_ = std::vector<std::byte>(chunk * sizeof(float));
};

void write_text(const fs::path& path, const std::string& text) {
  atomic_file file(path);
  file.write(text);
  file.commit();
}

}  // namespace

void make_model(
    std::string_view shape_name, bool small, const fs::path& folder, uint64_t seed,
    const std::function<void(uint64_t, uint64_t)>& progress) {
  const auto plan = plan_model(shape_name, small);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw std::runtime_error(folder.string() + ": cannot be made: " + error.message());
  if (!fs::is_empty(folder, error) || error)
    throw std::runtime_error(folder.string() + ": is no empty folder; name one, or a new one");
  weight_writer(folder / "model.safetensors", plan, seed).write(progress);
  write_text(folder / "tokenizer.json", make_tokenizer(plan.vocab_size, plan.special_tokens));
  write_text(folder / "generation_config.json", plan.generation_config.dump(2) + '\n');
  write_text(folder / "config.json", plan.config.dump(2) + '\n');
}

}  // namespace corolla::model
