#include "model/gguf.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "model/byte_reader.hpp"
#include "model/file_error.hpp"
#include "model/gguf_value.hpp"

namespace corolla::model {

namespace {

// Far above what any model has; a file that claims more is broken.
constexpr uint64_t max_metadata = 65'536;
constexpr uint64_t max_tensors = 65'536;
constexpr uint64_t max_key_bytes = 65'535;
constexpr uint64_t max_name_bytes = 256;
constexpr uint32_t max_dims = 4;
constexpr uint64_t max_alignment = 1u << 20;

/// Tensor types by their number; "" where the number is not used.
constexpr std::string_view tensor_types[] = {
    "F32",    "F16",   "Q4_0",  "Q4_1",   "",      "",      "Q5_0",    "Q5_1",   "Q8_0",    "Q8_1",
    "Q2_K",   "Q3_K",  "Q4_K",  "Q5_K",   "Q6_K",  "Q8_K",  "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S",
    "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8",    "I16",   "I32",     "I64",    "F64",     "IQ1_M",
    "BF16",   "",      "",      "",       "TQ1_0", "TQ2_0", "",        "",       "",        "MXFP4",
};

bool is_supported(encoding how) {
  constexpr encoding supported[] = {encoding::f32,  encoding::f16,  encoding::bf16,
                                    encoding::q8_0, encoding::q4_0, encoding::q4_1};
  return std::find(std::begin(supported), std::end(supported), how) != std::end(supported);
}

encoding read_tensor_type(uint32_t number, const std::string& name, const std::string& label) {
  const auto type = number < std::size(tensor_types) ? tensor_types[number] : "";
  const auto how = parse_encoding(type);
  if (how && is_supported(*how)) return *how;
  fail(
      label, "tensor " + in_quotes(name) + " has the type " +
                 (type.empty() ? std::to_string(number) : std::string(type)) +
                 "; F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are supported");
}

/// A tensor as listed; `offset` counts from the beginning of the data.
struct listed_tensor {
  gguf_tensor tensor;
  uint64_t offset = 0, size = 0;
};

listed_tensor read_tensor_info(byte_reader& in, const std::string& label) {
  listed_tensor result;
  auto& t = result.tensor;
  t.name = in.text(max_name_bytes, "the name of a tensor");
  const auto what = "tensor " + in_quotes(t.name);
  const auto num_dims = in.number<uint32_t>(what);
  if (num_dims == 0 || num_dims > max_dims)
    fail(label, what + " has " + std::to_string(num_dims) + " dimensions, 1 to 4 are possible");
  for (uint32_t i = 0; i < num_dims; ++i) {
    const auto dim = in.number<int64_t>(what);
    if (dim <= 0) fail(label, what + " has a dimension that is not positive");
    t.dims.insert(t.dims.begin(), dim);
  }
  t.how = read_tensor_type(in.number<uint32_t>(what), t.name, label);
  result.offset = in.number<uint64_t>(what);
  const auto elements = num_elements(t.dims);
  if (!elements) fail(label, what + " has too many elements");
  const auto block = static_cast<int64_t>(block_elements(t.how));
  if (t.dims.back() % block != 0)
    fail(
        label, what + " has rows of " + std::to_string(t.dims.back()) + " elements, no multiple of " +
                   std::to_string(block) + " as " + std::string(to_string(t.how)) + " needs");
  // At most 34 bytes for 32 elements where it is more than one byte an element: below the 8 that num_elements checked.
  result.size = static_cast<uint64_t>(*elements / block) * block_bytes(t.how);
  return result;
}

uint64_t alignment_of(const gguf_contents& contents, const std::string& label) {
  const auto found = contents.metadata.find("general.alignment");
  if (found == contents.metadata.end()) return 32;
  const auto value = decode(found->second);
  if (!value.is_number_unsigned() || !std::has_single_bit(value.get<uint64_t>()) ||
      value.get<uint64_t>() > max_alignment)
    fail(label, "general.alignment is no power of two up to " + std::to_string(max_alignment));
  return value.get<uint64_t>();
}

/// Finds each tensor's bytes in `data`, what follows the header and its padding.
void place(
    std::vector<listed_tensor>& list, std::span<const std::byte> data, uint64_t alignment, const std::string& label) {
  std::vector<const listed_tensor*> order;
  for (auto& l : list) {
    const auto what = "tensor " + in_quotes(l.tensor.name);
    if (l.offset % alignment != 0)
      fail(
          label, what + " begins at byte " + std::to_string(l.offset) + " of the data, no multiple of " +
                     std::to_string(alignment));
    if (l.offset > data.size() || l.size > data.size() - l.offset)
      fail(
          label, what + " takes " + std::to_string(l.size) + " bytes from byte " + std::to_string(l.offset) + " of " +
                     std::to_string(data.size()) + " bytes of data; the file may be truncated");
    l.tensor.data = data.subspan(l.offset, l.size);
    order.push_back(&l);
  }
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i)
    if (order[i]->offset - order[i - 1]->offset < order[i - 1]->size)
      fail(
          label,
          "tensors " + in_quotes(order[i - 1]->tensor.name) + " and " + in_quotes(order[i]->tensor.name) + " overlap");
}

void read_header(byte_reader& in, const std::string& label) {
  if (in.left() == 0) fail(label, "is empty");
  const auto magic = in.take(4, "the magic number");
  if (std::memcmp(magic.data(), "GGUF", 4) != 0) fail(label, "is no GGUF file: it does not begin with 'GGUF'");
  const auto version = in.number<uint32_t>("the version");
  if (version == 0x02000000 || version == 0x03000000)
    fail(label, "is a big-endian GGUF file; little-endian ones are read");
  if (version != 2 && version != 3)
    fail(label, "has the GGUF version " + std::to_string(version) + "; versions 2 and 3 are read");
}

}  // namespace

gguf_contents parse_gguf(std::span<const std::byte> file, const std::string& label) {
  byte_reader in(file, label);
  read_header(in, label);
  const auto num_tensors = in.number<uint64_t>("the number of tensors");
  const auto num_metadata = in.number<uint64_t>("the number of metadata fields");
  if (num_tensors > max_tensors)
    fail(
        label,
        "claims " + std::to_string(num_tensors) + " tensors, at most " + std::to_string(max_tensors) + " are read");
  if (num_metadata > max_metadata)
    fail(
        label, "claims " + std::to_string(num_metadata) + " metadata fields, at most " + std::to_string(max_metadata) +
                   " are read");
  gguf_contents contents;
  for (uint64_t i = 0; i < num_metadata; ++i) {
    std::string key(in.text(max_key_bytes, "the key of a metadata field"));
    const auto value = read_gguf_value(in, "metadata field " + in_quotes(key), label);
    if (const auto [at, fresh] = contents.metadata.emplace(std::move(key), value); !fresh)
      fail(label, "metadata field " + in_quotes(at->first) + " is there twice");
  }
  std::vector<listed_tensor> list;
  std::set<std::string_view> names;
  for (uint64_t i = 0; i < num_tensors; ++i) list.push_back(read_tensor_info(in, label));
  for (const auto& l : list)
    if (!names.insert(l.tensor.name).second) fail(label, "tensor " + in_quotes(l.tensor.name) + " is there twice");
  const auto alignment = alignment_of(contents, label);
  const auto padding = (alignment - in.position() % alignment) % alignment;
  if (!list.empty()) {
    in.take(padding, "the padding before the data");
    place(list, in.take(in.left(), "the data"), alignment, label);
  }
  contents.tensors.reserve(list.size());
  for (auto& l : list) contents.tensors.push_back(std::move(l.tensor));
  return contents;
}

}  // namespace corolla::model
