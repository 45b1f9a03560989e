#include "model/tensor.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "model/aligned_bytes.hpp"
#include "model/convert.hpp"

namespace corolla::model {

namespace {

struct dtype_names {
  dtype type;
  std::string_view name, safetensors, torch;
};
constexpr dtype_names names[] = {
    {dtype::float32, "float32", "F32", "torch.float32"}, {dtype::bfloat16, "bfloat16", "BF16", "torch.bfloat16"},
    {dtype::float16, "float16", "F16", "torch.float16"}, {dtype::int64, "int64", "I64", "torch.int64"},
    {dtype::int32, "int32", "I32", "torch.int32"},       {dtype::uint8, "uint8", "U8", "torch.uint8"},
};

template <class T>
constexpr dtype dtype_of() {
  if constexpr (std::is_same_v<T, float>) return dtype::float32;
  if constexpr (std::is_same_v<T, int64_t>) return dtype::int64;
  if constexpr (std::is_same_v<T, int32_t>) return dtype::int32;
  if constexpr (std::is_same_v<T, uint8_t>) return dtype::uint8;
}

std::string describe(dtype type, std::span<const int64_t> dims) {
  return std::string(to_string(type)) + ' ' + to_string(dims);
}

/// Bytes of such a tensor.  Throws std::invalid_argument for a shape that cannot be.
size_t checked_bytes(dtype type, std::span<const int64_t> dims) {
  const auto elements = num_elements(dims);
  if (!elements) throw std::invalid_argument("no tensor has the shape " + to_string(dims));
  return static_cast<size_t>(*elements) * size_of(type);
}

bool is_aligned(const std::byte* data, dtype type) {
  return reinterpret_cast<uintptr_t>(data) % size_of(type) == 0;
}

/// Product of dims[begin, end).
int64_t product(const shape& dims, size_t begin, size_t end) {
  int64_t result = 1;
  for (auto i = begin; i < end; ++i) result *= dims[i];
  return result;
}

tensor adopt(dtype type, shape dims, std::shared_ptr<std::byte> data, size_t size) {
  const std::span<const std::byte> bytes{data.get(), size};
  return {type, std::move(dims), bytes, std::move(data)};
}

}  // namespace

size_t size_of(dtype t) {
  switch (t) {
    case dtype::float32:
    case dtype::int32:
      return 4;
    case dtype::bfloat16:
    case dtype::float16:
      return 2;
    case dtype::int64:
      return 8;
    case dtype::uint8:
      return 1;
  }
  throw std::invalid_argument("no element type has the number " + std::to_string(static_cast<unsigned>(t)));
}

std::string_view to_string(dtype t) {
  for (const auto& n : names)
    if (n.type == t) return n.name;
  return "unknown";
}

std::optional<dtype> parse_dtype(std::string_view name) {
  for (const auto& n : names)
    if (name == n.name || name == n.safetensors || name == n.torch) return n.type;
  return std::nullopt;
}

bool is_dtype(uint8_t number) {
  return std::any_of(
      std::begin(names), std::end(names), [=](const auto& n) { return static_cast<uint8_t>(n.type) == number; });
}

std::optional<int64_t> num_elements(std::span<const int64_t> dims) {
  // A dimension of 0 does not excuse the others: strides are products of them.
  int64_t room = 8, elements = 1;
  for (auto d : dims) {
    if (d < 0 || __builtin_mul_overflow(room, std::max<int64_t>(d, 1), &room)) return std::nullopt;
    elements *= d;
  }
  return elements;
}

std::string to_string(std::span<const int64_t> dims) {
  std::string result = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i > 0) result += ", ";
    result += std::to_string(dims[i]);
  }
  return result + ']';
}

tensor::tensor() : type_(dtype::float32), dims_{0} {}

tensor::tensor(dtype type, shape dims, std::vector<std::byte> data) : type_(type), dims_(std::move(dims)) {
  if (data.size() != checked_bytes(type_, dims_))
    throw std::invalid_argument(describe(type_, dims_) + " does not hold " + std::to_string(data.size()) + " bytes");
  auto owner = std::make_shared<std::vector<std::byte>>(std::move(data));
  data_ = *owner;
  owner_ = std::move(owner);
}

tensor::tensor(dtype type, shape dims, std::span<const std::byte> data, std::shared_ptr<const void> owner)
    : type_(type), dims_(std::move(dims)), data_(data), owner_(std::move(owner)) {
  if (data.size() != checked_bytes(type_, dims_))
    throw std::invalid_argument(describe(type_, dims_) + " does not hold " + std::to_string(data.size()) + " bytes");
  if (!is_aligned(data.data(), type_)) {
    auto copy = allocate_bytes(data.size());
    std::memcpy(copy.get(), data.data(), data.size());
    data_ = {copy.get(), data.size()};
    owner_ = std::move(copy);
  }
}

template <class T>
tensor tensor::of(shape dims, std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  auto data = allocate_bytes(bytes.size());
  std::copy(bytes.begin(), bytes.end(), data.get());
  return adopt(dtype_of<T>(), std::move(dims), std::move(data), bytes.size());
}
template tensor tensor::of<float>(shape, std::span<const float>);
template tensor tensor::of<int64_t>(shape, std::span<const int64_t>);

int64_t tensor::numel() const {
  return static_cast<int64_t>(data_.size() / size_of(type_));
}

template <class T>
std::span<const T> tensor::as() const {
  if (type_ != dtype_of<T>())
    throw std::invalid_argument(describe(type_, dims_) + " was read as " + std::string(to_string(dtype_of<T>())));
  return {reinterpret_cast<const T*>(data_.data()), data_.size() / sizeof(T)};
}
template std::span<const float> tensor::as<float>() const;
template std::span<const int64_t> tensor::as<int64_t>() const;
template std::span<const int32_t> tensor::as<int32_t>() const;
template std::span<const uint8_t> tensor::as<uint8_t>() const;

tensor tensor::slice(size_t axis, int64_t begin, int64_t end) const {
  if (axis >= rank() || begin < 0 || begin > end || end > dims_[axis])
    throw std::out_of_range(
        "no slice " + std::to_string(begin) + ':' + std::to_string(end) + " of axis " + std::to_string(axis) + " in " +
        describe(type_, dims_));
  auto dims = dims_;
  dims[axis] = end - begin;
  const auto outer = static_cast<size_t>(product(dims_, 0, axis));
  const auto row = static_cast<size_t>(product(dims_, axis + 1, rank())) * size_of(type_);
  const auto step = static_cast<size_t>(dims_[axis]) * row;
  const auto from = static_cast<size_t>(begin) * row, size = static_cast<size_t>(end - begin) * row;
  if (outer <= 1) return {type_, std::move(dims), outer == 1 ? data_.subspan(from, size) : data_, owner_};
  auto data = allocate_bytes(outer * size);
  for (size_t i = 0; size > 0 && i < outer; ++i)
    std::memcpy(data.get() + i * size, data_.data() + i * step + from, size);
  return adopt(type_, std::move(dims), std::move(data), outer * size);
}

tensor tensor::reshaped(shape dims) const {
  return {type_, std::move(dims), data_, owner_};
}

tensor tensor::to(dtype type) const {
  if (type == type_) return *this;
  const auto size = static_cast<size_t>(numel()) * size_of(type);
  auto data = allocate_bytes(size);
  convert(type_, data_.data(), type, data.get(), static_cast<size_t>(numel()));
  return adopt(type, dims_, std::move(data), size);
}

tensor concat(std::span<const tensor> parts, size_t axis) {
  if (parts.empty()) throw std::invalid_argument("nothing to join");
  if (parts.size() == 1 && axis < parts[0].rank()) return parts[0];
  auto dims = parts[0].dims();
  if (axis >= dims.size())
    throw std::invalid_argument("no axis " + std::to_string(axis) + " in " + describe(parts[0].type(), dims));
  dims[axis] = 0;
  for (const auto& part : parts) {
    auto expected = dims;
    if (part.rank() == dims.size()) expected[axis] = part.dims()[axis];
    if (part.type() != parts[0].type() || part.dims() != expected ||
        __builtin_add_overflow(dims[axis], part.dims()[axis], &dims[axis]))
      throw std::invalid_argument(
          describe(part.type(), part.dims()) + " cannot be joined to " + describe(parts[0].type(), parts[0].dims()) +
          " along axis " + std::to_string(axis));
  }
  const auto size = checked_bytes(parts[0].type(), dims);
  auto data = allocate_bytes(size);
  auto* out = data.get();
  const auto outer = static_cast<size_t>(product(dims, 0, axis));
  for (size_t i = 0; i < outer; ++i)
    for (const auto& part : parts) {
      const auto piece = part.bytes().size() / outer;
      if (piece > 0) std::memcpy(out, part.bytes().data() + i * piece, piece);
      out += piece;
    }
  return adopt(parts[0].type(), std::move(dims), std::move(data), size);
}

namespace {

/// True if no element has all bits of `exponent` set.
template <class T>
bool none_has(std::span<const std::byte> bytes, T exponent) {
  constexpr size_t chunk = 256;
  T values[chunk] = {};
  for (size_t at = 0; at < bytes.size(); at += sizeof(values)) {
    const auto n = std::min(sizeof(values), bytes.size() - at);
    std::memcpy(values, bytes.data() + at, n);
    T found = 0;
    for (size_t i = 0; i < chunk; ++i) found |= static_cast<T>((values[i] & exponent) == exponent);
    // What an earlier chunk left behind in the last one is finite: it was looked at.
    if (found) return false;
  }
  return true;
}

}  // namespace

bool all_finite(const tensor& t) {
  switch (t.type()) {
    case dtype::float32:
      return none_has<uint32_t>(t.bytes(), 0x7f800000);
    case dtype::bfloat16:
      return none_has<uint16_t>(t.bytes(), 0x7f80);
    case dtype::float16:
      return none_has<uint16_t>(t.bytes(), 0x7c00);
    default:
      return true;
  }
}

}  // namespace corolla::model
