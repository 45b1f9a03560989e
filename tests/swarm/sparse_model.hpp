// A llama model whose weights are zeros that no disk holds: as large as a test wants it, in no time.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace corolla::tests {

struct sparse_model {
  uint64_t hidden_size = 1024, intermediate_size = 4096, num_blocks = 16, vocab_size = 256;

  /// Bytes of a block in float32.
  uint64_t block_bytes() const {
    return 4 * (4 * hidden_size * hidden_size + 3 * hidden_size * intermediate_size + 2 * hidden_size);
  }

  /// Makes `folder`; gives the path of the weights in it.
  std::filesystem::path write(const std::filesystem::path& folder) const {
    std::filesystem::create_directory(folder);
    std::ofstream{folder / "config.json"} << config();
    const auto file = folder / "model.safetensors";
    uint64_t end = 0;
    const auto head = header(end).dump();
    const uint64_t length = head.size();
    std::ofstream{file, std::ios::binary}.write(reinterpret_cast<const char*>(&length), sizeof length) << head;
    std::filesystem::resize_file(file, sizeof length + length + end);
    return file;
  }

 private:
  nlohmann::json config() const {
    return {
        {"model_type", "llama"},
        {"architectures", {"LlamaForCausalLM"}},
        {"hidden_size", hidden_size},
        {"intermediate_size", intermediate_size},
        {"num_hidden_layers", num_blocks},
        {"num_attention_heads", hidden_size / 64},
        {"num_key_value_heads", hidden_size / 64},
        {"max_position_embeddings", 4096},
        {"rms_norm_eps", 1e-5},
        {"rope_theta", 10000.0},
        {"hidden_act", "silu"},
        {"tie_word_embeddings", true},
        {"vocab_size", vocab_size},
        {"bos_token_id", 1},
        {"eos_token_id", 2}};
  }

  /// One tensor behind the other; `end` becomes the size of them all.
  nlohmann::json header(uint64_t& end) const {
    auto tensors = nlohmann::json::object();
    const auto add = [&](const std::string& name, const std::vector<uint64_t>& shape) {
      const auto begin = end;
      end += 4 * shape[0] * (shape.size() > 1 ? shape[1] : 1);
      tensors["model." + name + ".weight"] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, end}}};
    };
    const auto C = hidden_size, I = intermediate_size;
    add("embed_tokens", {vocab_size, C});
    add("norm", {C});
    for (uint64_t i = 0; i < num_blocks; ++i) {
      const auto block = "layers." + std::to_string(i) + '.';
      for (const auto* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) add(block + "self_attn." + name, {C, C});
      for (const auto* name : {"gate_proj", "up_proj"}) add(block + "mlp." + name, {I, C});
      add(block + "mlp.down_proj", {C, I});
      for (const auto* name : {"input_layernorm", "post_attention_layernorm"}) add(block + name, {C});
    }
    return tensors;
  }
};

}  // namespace corolla::tests
