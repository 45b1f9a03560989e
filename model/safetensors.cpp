#include "model/safetensors.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <utility>

#include "model/file_error.hpp"
#include "model/safetensors_header.hpp"

namespace corolla::model {

namespace {

constexpr uint64_t length_bytes = 8;
/// As the reference implementation has it.
constexpr uint64_t max_header_bytes = 100'000'000;

/// Bytes of one element of any type that the format knows, loadable or not.
std::optional<uint64_t> element_bytes(std::string_view type) {
  constexpr std::pair<std::string_view, uint64_t> types[] = {
      {"F64", 8}, {"I64", 8}, {"U64", 8}, {"F32", 4}, {"I32", 4},  {"U32", 4},     {"F16", 2},     {"BF16", 2},
      {"I16", 2}, {"U16", 2}, {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1},
  };
  const auto found = std::find_if(std::begin(types), std::end(types), [=](const auto& t) { return t.first == type; });
  if (found == std::end(types)) return std::nullopt;
  return found->second;
}

uint64_t header_length(std::span<const std::byte> file, const std::string& label) {
  if (file.size() < length_bytes)
    fail(label, "has " + std::to_string(file.size()) + " bytes, too few for a safetensors header; it may be truncated");
  uint64_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i) length |= std::to_integer<uint64_t>(file[i]) << (8 * i);
  if (length > max_header_bytes)
    fail(
        label, "claims a header of " + std::to_string(length) + " bytes, at most " + std::to_string(max_header_bytes) +
                   " are allowed; it may be no safetensors file");
  if (length > file.size() - length_bytes)
    fail(
        label, "claims a header of " + std::to_string(length) + " bytes and has " + std::to_string(file.size()) +
                   " in all; it may be truncated");
  return length;
}

/// Type, shape and offsets of one entry agree, and the bytes are there.
void check_entry(const safetensors_entry& e, uint64_t data_bytes, const std::string& label) {
  const auto tensor_text = "tensor " + in_quotes(e.name);
  const auto element = element_bytes(e.type);
  if (!element) fail(label, tensor_text + " has the unknown dtype " + in_quotes(e.type));
  const auto elements = num_elements(e.dims);
  if (!elements) fail(label, tensor_text + " has a shape with too many elements");
  if (e.begin > e.end) fail(label, tensor_text + " has data_offsets that go backwards");
  if (e.end > data_bytes)
    fail(
        label, tensor_text + " ends at byte " + std::to_string(e.end) + " of " + std::to_string(data_bytes) +
                   " bytes of data; the file may be truncated");
  if (e.end - e.begin != static_cast<uint64_t>(*elements) * *element)
    fail(
        label,
        tensor_text + " has " + std::to_string(e.end - e.begin) + " bytes for " + e.type + ' ' + to_string(e.dims));
}

/// The format allows neither holes nor overlaps.
void check_layout(std::span<const safetensors_entry> entries, uint64_t data_bytes, const std::string& label) {
  std::vector<const safetensors_entry*> order;
  order.reserve(entries.size());
  for (const auto& e : entries) order.push_back(&e);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t at = 0;
  for (const auto* e : order) {
    if (e->begin != at)
      fail(
          label, "tensor " + in_quotes(e->name) + " begins at byte " + std::to_string(e->begin) +
                     " of the data, where the one before ends at " + std::to_string(at));
    at = e->end;
  }
  if (at != data_bytes) fail(label, std::to_string(data_bytes - at) + " bytes at the end belong to no tensor");
}

}  // namespace

std::vector<safetensors_entry> parse_safetensors(std::span<const std::byte> file, const std::string& label) {
  const auto length = header_length(file, label);
  const auto data_begin = length_bytes + length, data_bytes = file.size() - data_begin;
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + length_bytes, length);
  auto entries = parse_safetensors_header(text, label);
  for (const auto& e : entries) check_entry(e, data_bytes, label);
  check_layout(entries, data_bytes, label);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twice != entries.end()) fail(label, "tensor " + in_quotes(twice->name) + " is there twice");
  for (auto& e : entries) e.begin += data_begin, e.end += data_begin;
  return entries;
}

safetensors_file::safetensors_file(const std::filesystem::path& path)
    : file_(std::make_shared<const mapped_file>(path)) {
  auto entries = parse_safetensors(file_->bytes(), file_->label());
  if (!entries.empty()) file_->give_back(file_->bytes().first(entries.front().begin));
  tensors_.reserve(entries.size());
  for (auto& e : entries) {
    stored_tensor t;
    t.how = parse_encoding(e.type);
    t.data = file_->bytes().subspan(e.begin, e.end - e.begin);
    t.name = std::move(e.name);
    t.type = std::move(e.type);
    t.dims = std::move(e.dims);
    t.file = file_;
    tensors_.push_back(std::move(t));
  }
}

const stored_tensor* safetensors_file::find(std::string_view name) const {
  const auto found = std::lower_bound(
      tensors_.begin(), tensors_.end(), name, [](const auto& t, std::string_view n) { return t.name < n; });
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

const stored_tensor& safetensors_file::at(std::string_view name) const {
  if (const auto* found = find(name)) return *found;
  fail(file_->label(), "holds no tensor " + in_quotes(name));
}

tensor safetensors_file::load(std::string_view name, dtype as) const {
  return model::load(at(name), as);
}

tensor safetensors_file::load(std::string_view name) const {
  const auto& t = at(name);
  return model::load(t, t.how ? decoded_type(*t.how) : dtype::float32);
}

}  // namespace corolla::model
