// Any bytes as a hello: refused, or within its limits and the same after its own encoding.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "actors/wire/hello.hpp"
#include "tests/fuzz/require.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace corolla::actors::wire;
  auto said = decode_hello(std::as_bytes(std::span{data, size}));
  if (!said) return 0;
  REQUIRE(size <= limits::body_bytes && said->min_version <= said->max_version && said->takes.chunk >= 4096);
  auto bytes = encode(*said);
  auto again = decode_hello(bytes);
  // A digest without a model's name is dropped by the first encoding.
  if (said->model_name.empty()) said->model = {};
  REQUIRE(again == said);
  REQUIRE(common_version(*said, hello{}) == common_version(hello{}, *said));
  return 0;
}
