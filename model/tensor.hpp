// A host tensor: dtype, shape and shared immutable bytes.  It is what actors, links and logs pass around; nothing in
// this header knows ATen or CAF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace corolla::model {

/// Element types that a tensor can have in memory and on the wire.  Append only: the numbers travel.
enum class dtype : uint8_t { float32 = 1, bfloat16 = 2, float16 = 3, int64 = 4, int32 = 5, uint8 = 6 };

/// Bytes of one element.
size_t size_of(dtype t);
/// "float32", "bfloat16", ...
std::string_view to_string(dtype t);
/// Reads the names above, safetensors' ("F32", "BF16", "F16", "I64", "I32", "U8") and torch's ("torch.float32").
std::optional<dtype> parse_dtype(std::string_view name);
/// True for the numbers above, false for anything else a peer may send.
bool is_dtype(uint8_t number);

using shape = std::vector<int64_t>;

/// Elements of a shape, or nullopt where a dimension is negative or the product times 8 bytes overflows int64 (with
/// every 0 taken as 1, so that strides do not overflow either).
std::optional<int64_t> num_elements(std::span<const int64_t> dims);
/// "[2, 17, 64]"
std::string to_string(std::span<const int64_t> dims);

/// Contiguous, row-major, immutable; copies share the bytes.  Safe to read from any thread.
class tensor {
 public:
  /// An empty float32 tensor of shape [0].
  tensor();
  /// Takes `data` over.  Throws std::invalid_argument unless its size is that of the shape.
  tensor(dtype type, shape dims, std::vector<std::byte> data);
  /// Shares `data`, kept alive by `owner`; copies it where it is not aligned for its type.  Throws as above.
  tensor(dtype type, shape dims, std::span<const std::byte> data, std::shared_ptr<const void> owner);
  /// Copies values.  `T` is float (float32) or int64_t (int64).
  template <class T>
  static tensor of(shape dims, std::span<const T> values);

  dtype type() const { return type_; }
  const shape& dims() const { return dims_; }
  int64_t dim(size_t i) const { return dims_.at(i); }
  size_t rank() const { return dims_.size(); }
  int64_t numel() const;
  std::span<const std::byte> bytes() const { return data_; }
  /// The elements as `T`.  Throws std::invalid_argument unless `T` is the element type (float, int64_t, int32_t,
  /// uint8_t).
  template <class T>
  std::span<const T> as() const;
  /// What keeps the bytes alive: for views that outlive this object.
  const std::shared_ptr<const void>& owner() const { return owner_; }

  /// Rows [begin, end) of dimension `axis`: shares the bytes where they are contiguous (axis 0, or all dimensions
  /// before `axis` are 1), else copies.  Throws std::out_of_range.
  tensor slice(size_t axis, int64_t begin, int64_t end) const;
  /// Same bytes, other shape.  Throws std::invalid_argument unless the number of elements is the same.
  tensor reshaped(shape dims) const;
  /// Converts between float32, bfloat16 and float16 (round to nearest even); the same type shares the bytes.  Throws
  /// std::invalid_argument for other types.
  tensor to(dtype type) const;

 private:
  dtype type_;
  shape dims_;
  std::span<const std::byte> data_;
  std::shared_ptr<const void> owner_;
};

/// Joins along `axis`; all parts agree in type and in every other dimension (else std::invalid_argument).
tensor concat(std::span<const tensor> parts, size_t axis);
/// False if a float tensor holds a NaN or an infinity.
bool all_finite(const tensor& t);

}  // namespace corolla::model
