#include "model/stored_tensor.hpp"

#include <algorithm>
#include <utility>

#include "model/aligned_bytes.hpp"
#include "model/convert.hpp"
#include "model/file_error.hpp"
#include "model/weight_memory.hpp"

namespace corolla::model {

namespace {

/// What is read before pages are given back.
constexpr size_t piece_bytes = 4u << 20;

void load_in_order(const stored_tensor& source, encoding how, dtype as, std::byte* out) {
  const auto piece = piece_bytes / block_bytes(how) * block_bytes(how);
  for (size_t at = 0; at < source.data.size(); at += piece) {
    const auto part = source.data.subspan(at, std::min(piece, source.data.size() - at));
    const auto count = part.size() / block_bytes(how) * block_elements(how);
    decode(how, part.data(), as, out, count);
    source.file->give_back(part);
    out += count * size_of(as);
  }
}

/// Row 2j + i of a head goes to row i * D/2 + j.
void load_unpermuted(const stored_tensor& source, encoding how, dtype as, std::byte* out) {
  const auto rows = static_cast<size_t>(source.dims[0]), heads = static_cast<size_t>(source.permuted_heads);
  const auto head_rows = rows / heads, half = head_rows / 2;
  const auto in_row = source.data.size() / rows;
  const auto elements = in_row / block_bytes(how) * block_elements(how), out_row = elements * size_of(as);
  for (size_t head = 0; head < heads; ++head) {
    const auto part = source.data.subspan(head * head_rows * in_row, head_rows * in_row);
    auto* to = out + head * head_rows * out_row;
    for (size_t j = 0; j < half; ++j)
      for (size_t i = 0; i < 2; ++i)
        decode(how, part.data() + (2 * j + i) * in_row, as, to + (i * half + j) * out_row, elements);
    source.file->give_back(part);
  }
}

}  // namespace

encoding encoding_of(const stored_tensor& source) {
  if (source.how) return *source.how;
  fail(
      source.file->label(),
      "tensor " + in_quotes(source.name) + " has the type " + in_quotes(source.type) + ", which cannot be loaded");
}

tensor load(const stored_tensor& source, dtype as) {
  const auto how = encoding_of(source);
  const auto from = decoded_type(how);
  if (from != as && !(is_float(from) && is_float(as)))
    fail(
        source.file->label(), "tensor " + in_quotes(source.name) + " is " + std::string(to_string(from)) +
                                  " and cannot be loaded as " + std::string(to_string(as)));
  source.file->check_unchanged();
  const auto size = source.data.size() / block_bytes(how) * block_elements(how) * size_of(as);
  auto data = size < large_weight ? allocate_bytes(size) : map_weights(size);
  if (size > 0 && source.permuted_heads > 0)
    load_unpermuted(source, how, as, data.get());
  else
    load_in_order(source, how, as, data.get());
  const std::span<const std::byte> bytes{data.get(), size};
  return {as, source.dims, bytes, std::move(data)};
}

}  // namespace corolla::model
