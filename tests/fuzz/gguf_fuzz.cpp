// Any bytes as a GGUF file: refused with checkpoint_error, or metadata and tensors can be decoded, as a llama too.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/checkpoint.hpp"
#include "model/gguf.hpp"
#include "model/gguf_llama.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corolla::model;
  try {
    const auto contents = parse_gguf(std::as_bytes(std::span(data, size)), "input");
    for (const auto& [key, value] : contents.metadata) decode(value);
    for (const auto& t : contents.tensors) {
      const auto count = static_cast<size_t>(num_elements(t.dims).value());
      if (t.data.size() != count / block_elements(t.how) * block_bytes(t.how)) __builtin_trap();
      std::vector<float> values(count);
      decode(t.how, t.data.data(), dtype::float32, reinterpret_cast<std::byte*>(values.data()), count);
    }
    const auto config = llama_config(contents, "input");
    for (const auto& t : llama_tensors(contents, config, "input"))
      if (t.permuted_heads > 0 && t.dims.front() % (2 * t.permuted_heads) != 0) __builtin_trap();
  } catch (const checkpoint_error&) {
  }
  return 0;
}
