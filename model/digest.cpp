#include "model/digest.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/sha256.hpp"

namespace corolla::model {

namespace {

/// Keys that say where a model comes from, what wrote it, or how to train, load or sample it.
constexpr std::string_view volatile_keys[] = {
    "_attn_implementation",
    "_commit_hash",
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "attn_implementation",
    "auto_map",
    "bos_token_id",
    "classifier_dropout",
    "decoder_start_token_id",
    "dtype",
    "eos_token_id",
    "finetuning_task",
    "hidden_dropout",
    "id2label",
    "initializer_range",
    "label2id",
    "max_length",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "pretraining_tp",
    "problem_type",
    "return_dict",
    "sep_token_id",
    "slow_but_exact",
    "task_specific_params",
    "temperature",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "unk_token_id",
    "use_cache",
};

/// What is hashed before pages are given back and progress is counted.
constexpr size_t piece_bytes = 4u << 20;

/// Somebody else's error ended the job.
struct given_up : std::exception {};

/// What hashing tells and asks, piece by piece.
using digest_step = std::function<void(size_t bytes)>;

void add_tensor(sha256& hash, const stored_tensor& t, const digest_step& hashed) {
  hash.text(t.name);
  hash.text(t.type);
  hash.u64(t.dims.size());
  for (auto d : t.dims) hash.u64(static_cast<uint64_t>(d));
  hash.u64(t.data.size());
  t.file->check_unchanged();
  for (size_t at = 0; at < t.data.size(); at += piece_bytes) {
    const auto piece = t.data.subspan(at, std::min(piece_bytes, t.data.size() - at));
    hash.bytes(piece);
    t.file->give_back(piece);
    hashed(piece.size());
  }
}

/// Parts of the model that are hashed each on its own: the blocks, then the ends.
using parts = std::vector<std::vector<const stored_tensor*>>;

parts split(const digest_input& input) {
  parts result(size_t{input.num_blocks} + 1);
  for (const auto& t : input.tensors) {
    const auto block = block_of(t.name);
    result[block && *block < input.num_blocks ? *block : input.num_blocks].push_back(&t);
  }
  return result;
}

digest digest_part(
    const digest_input& input, size_t index, std::span<const stored_tensor* const> tensors, const digest_step& hashed) {
  sha256 hash;
  if (index == input.num_blocks) {
    hash.text("corolla ends 1");
    hash.text(canonical_config(input.config));
  } else {
    hash.text("corolla block 1");
  }
  for (const auto* t : tensors) add_tensor(hash, *t, hashed);
  return hash.finish();
}

/// Takes parts until none is left; the first error stops everybody.
class digest_job {
 public:
  digest_job(const digest_input& input, const digest_progress& progress) : input_(input), progress_(progress) {
    for (const auto& t : input.tensors) all_ += t.data.size();
  }

  std::vector<digest> run() {
    std::exception_ptr helper_error;
    std::thread helper([&] {
      try {
        work(/*report=*/false);
      } catch (...) {
        helper_error = std::current_exception();
        over_ = true;
      }
    });
    try {
      work(/*report=*/true);
    } catch (const given_up&) {
      helper.join();
      std::rethrow_exception(helper_error);
    } catch (...) {
      over_ = true;
      helper.join();
      throw;
    }
    helper.join();
    if (helper_error) std::rethrow_exception(helper_error);
    if (progress_) progress_(all_, all_);
    return std::move(results_);
  }

 private:
  void work(bool report) {
    // The ends go first: embeddings are the largest part.
    for (size_t i = next_++; i < parts_.size(); i = next_++) {
      const auto index = parts_.size() - 1 - i;
      results_[index] = digest_part(input_, index, parts_[index], [&](size_t bytes) {
        done_ += bytes;
        if (report && progress_) progress_(done_, all_);
        if (over_) throw given_up{};
      });
    }
  }

  const digest_input& input_;
  const digest_progress& progress_;
  const parts parts_ = split(input_);
  std::vector<digest> results_ = std::vector<digest>(parts_.size());
  std::atomic<size_t> next_{0};
  std::atomic<uint64_t> done_{0};
  std::atomic<bool> over_{false};
  uint64_t all_ = 0;
};

}  // namespace

std::optional<uint32_t> block_of(std::string_view tensor_name) {
  for (const std::string_view prefix : {"h.", "layers."}) {
    if (!tensor_name.starts_with(prefix)) continue;
    const auto rest = tensor_name.substr(prefix.size());
    uint32_t number = 0;
    const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error == std::errc{} && stop != rest.data() + rest.size() && *stop == '.') return number;
  }
  return std::nullopt;
}

std::string canonical_config(const nlohmann::json& config) {
  auto kept = config;
  for (const auto key : volatile_keys) kept.erase(std::string(key));
  return kept.dump();
}

digest model_digest(const model_digests& digests) {
  sha256 hash;
  hash.text("corolla model 1");
  hash.add(digests.ends);
  hash.u64(digests.blocks.size());
  for (const auto& b : digests.blocks) hash.add(b);
  return hash.finish();
}

model_digests compute_digests(const digest_input& input, const digest_progress& progress) {
  model_digests all;
  all.blocks = digest_job(input, progress).run();
  all.ends = all.blocks.back();
  all.blocks.pop_back();
  all.model = model_digest(all);
  return all;
}

digest of_blocks(const model_digests& digests, block_range blocks) {
  if (blocks.empty() || blocks.end > digests.blocks.size())
    throw std::out_of_range(
        "no blocks " + to_string(blocks) + " in a model of " + std::to_string(digests.blocks.size()));
  sha256 hash;
  hash.text("corolla blocks 1");
  hash.u64(blocks.begin);
  hash.u64(blocks.end);
  for (auto i = blocks.begin; i < blocks.end; ++i) hash.add(digests.blocks[i]);
  return hash.finish();
}

}  // namespace corolla::model
