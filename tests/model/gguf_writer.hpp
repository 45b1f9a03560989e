// Writes small GGUF files, right ones and wrong ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace corolla::tests {

/// Appends little-endian values to a string.
class byte_writer {
 public:
  template <class T>
  byte_writer& number(T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
    return *this;
  }
  byte_writer& text(std::string_view value) {
    number(uint64_t{value.size()});
    bytes += value;
    return *this;
  }
  std::string bytes;
};

/// Tensor types and value types as GGUF numbers them.
namespace ggml {
inline constexpr uint32_t f32 = 0, f16 = 1, q4_0 = 2, q4_1 = 3, q8_0 = 8, q6_k = 14, bf16 = 30;
inline constexpr uint32_t u8 = 0, i8 = 1, u16 = 2, i16 = 3, u32 = 4, i32 = 5, float32 = 6, boolean = 7, string = 8,
                          array = 9, u64 = 10, i64 = 11, float64 = 12;
}  // namespace ggml

class gguf_writer {
 public:
  uint32_t version = 3;
  uint64_t alignment = 32;

  template <class T>
  void field(std::string_view key, uint32_t type, T value) {
    fields_.text(key).number(type).number(value);
    ++num_fields_;
  }
  void u32(std::string_view key, uint32_t value) { field(key, ggml::u32, value); }
  void real(std::string_view key, float value) { field(key, ggml::float32, value); }
  void text(std::string_view key, std::string_view value) {
    fields_.text(key).number(ggml::string).text(value);
    ++num_fields_;
  }
  void texts(std::string_view key, const std::vector<std::string>& values) {
    fields_.text(key).number(ggml::array).number(ggml::string).number(uint64_t{values.size()});
    for (const auto& v : values) fields_.text(v);
    ++num_fields_;
  }
  /// A field whose value, type number included, is given as bytes.
  void raw(std::string_view key, const std::string& value) {
    fields_.text(key).bytes += value;
    ++num_fields_;
  }

  /// `dims` in the file's order: the fastest first.
  void tensor(std::string_view name, uint32_t type, const std::vector<int64_t>& dims, const std::string& data) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    tensor_at(name, type, dims, data_.size());
    data_ += data;
  }
  void tensor_at(std::string_view name, uint32_t type, const std::vector<int64_t>& dims, uint64_t offset) {
    tensors_.text(name).number(static_cast<uint32_t>(dims.size()));
    for (auto d : dims) tensors_.number(d);
    tensors_.number(type).number(offset);
    ++num_tensors_;
  }
  void floats(std::string_view name, const std::vector<int64_t>& dims, const std::vector<float>& values) {
    tensor(name, ggml::f32, dims, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }

  std::string bytes() const {
    byte_writer all;
    all.bytes = "GGUF";
    all.number(version).number(num_tensors_).number(num_fields_);
    all.bytes += fields_.bytes + tensors_.bytes;
    all.bytes.resize((all.bytes.size() + alignment - 1) / alignment * alignment);
    return all.bytes + data_;
  }

 private:
  byte_writer fields_, tensors_;
  std::string data_;
  uint64_t num_fields_ = 0, num_tensors_ = 0;
};

/// Metadata of a llama with `heads` heads of size 4 and one block.
inline void add_llama_fields(gguf_writer& w, uint32_t heads, uint32_t kv_heads) {
  w.text("general.architecture", "llama");
  w.u32("llama.block_count", 1);
  w.u32("llama.context_length", 128);
  w.u32("llama.embedding_length", 4 * heads);
  w.u32("llama.feed_forward_length", 8);
  w.u32("llama.attention.head_count", heads);
  w.u32("llama.attention.head_count_kv", kv_heads);
  w.real("llama.attention.layer_norm_rms_epsilon", 1e-5f);
}

}  // namespace corolla::tests
