// Any bytes as the body of any message: refused, or exactly what its struct is encoded to.  The first byte says which
// struct.
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

#include "tests/fuzz/message_readers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using corolla::tests::message_readers;
  if (size == 0) return 0;
  message_readers[data[0] % std::size(message_readers)].read(std::as_bytes(std::span{data + 1, size - 1}));
  return 0;
}
