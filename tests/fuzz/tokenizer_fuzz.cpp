// Any bytes as a tokenizer.json: it is refused with tokenizer_error, or encodes and decodes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nlohmann/json.hpp>

#include "model/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using corolla::model::tokenizer;
  const auto file = nlohmann::json::parse(data, data + size, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (file.is_discarded()) return 0;
  static constexpr std::string_view texts[] = {
      "", "Hello, world's 1234 foo ", "a\r\n\n  b\t<tok>e\u0301 \u00bd\u4f60\U0001F44D", "\xff\xe2\x82"};
  try {
    const auto t = tokenizer::from_json(file, nullptr);
    for (const auto text : texts) {
      const auto ids = t->encode(text, /*add_special=*/true);
      const auto whole = t->decode(ids, /*skip_special=*/false);
      const auto stream = t->stream_decoder(/*skip_special=*/false);
      std::string streamed;
      for (const auto id : ids) streamed += stream->push(id);
      if (streamed + stream->finish() != whole) __builtin_trap();
    }
  } catch (const corolla::model::tokenizer_error&) {
  }
  return 0;
}
