// Any bytes as a safetensors file: refused with checkpoint_error, or every tensor lies inside and can be decoded.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/checkpoint.hpp"
#include "model/safetensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corolla::model;
  const auto file = std::as_bytes(std::span(data, size));
  try {
    for (const auto& e : parse_safetensors(file, "input")) {
      if (e.begin > e.end || e.end > size) __builtin_trap();
      const auto how = parse_encoding(e.type);
      if (!how) continue;
      const auto count = static_cast<size_t>(num_elements(e.dims).value());
      const auto bytes = file.subspan(e.begin, e.end - e.begin);
      if (bytes.size() != count * block_bytes(*how)) __builtin_trap();
      std::vector<std::byte> out(count * size_of(decoded_type(*how)));
      decode(*how, bytes.data(), decoded_type(*how), out.data(), count);
    }
  } catch (const checkpoint_error&) {
  }
  return 0;
}
