#include "model/weight_source.hpp"

#include <malloc.h>

#include <utility>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include "model/device.hpp"
#include "model/file_error.hpp"

namespace corolla::model {

namespace {

shape dims_of(int64_t rows, int64_t columns) {
  return columns == 0 ? shape{rows} : shape{rows, columns};
}

}  // namespace

weight_source::weight_source(const checkpoint& source, dtype type, c10::Device device, weight_memory& memory)
    : source_(source), type_(type), device_(device), memory_(memory) {}

// Tensors of a file's type and joined parts come and go between those that stay: without this the holes that they leave
// are a fifth of a small model's memory.
weight_source::~weight_source() {
  malloc_trim(0);
}

void weight_source::check(const std::string& name, const shape& expected) const {
  const auto file = source_.path().string();
  if (!source_.has(name)) fail(file, "tensor " + name + " is missing");
  const auto& found = source_.dims(name);
  if (found != expected)
    fail(
        file, "tensor " + name + " has shape " + to_string(found) + ", but the config asks for " + to_string(expected));
}

at::Tensor weight_source::read(const std::string& name, const shape& expected) const {
  check(name, expected);
  return to_device(source_.load(name, type_), scalar_type(type_), device_);
}

at::Tensor weight_source::empty(const shape& dims) const {
  const auto options = at::TensorOptions(scalar_type(type_)).device(device_);
  if (!device_.is_cpu()) return at::empty(dims, options);
  size_t size = size_of(type_);
  for (const auto dim : dims) size *= static_cast<size_t>(dim);
  auto memory = memory_.take(size);
  auto* data = memory.get();
  return at::from_blob(
      data, dims, [memory = std::move(memory)](void*) {}, options);
}

at::Tensor weight_source::load(const std::string& name, const shape& expected) const {
  auto loaded = read(name, expected);
  // What is large lies where it is to stay already.
  return device_.is_cpu() && loaded.nbytes() < large_weight ? empty(expected).copy_(loaded) : loaded;
}

at::Tensor weight_source::load_joined(const std::vector<part>& parts, int64_t columns) const {
  if (parts.size() == 1) return load(parts.front().name, dims_of(parts.front().rows, columns));
  int64_t rows = 0;
  for (const auto& p : parts) {
    check(p.name, dims_of(p.rows, columns));
    rows += p.rows;
  }
  auto joined = empty(dims_of(rows, columns));
  int64_t row = 0;
  for (const auto& p : parts) {
    // One part at a time: no more than it is held twice.
    joined.narrow(0, row, p.rows).copy_(read(p.name, dims_of(p.rows, columns)));
    row += p.rows;
  }
  return joined;
}

}  // namespace corolla::model
